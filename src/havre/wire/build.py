"""Builds as Havre's own command line asks for them and hears of them."""

from typing import TypedDict


class CreateBuildSession(TypedDict, total=False):
    """What POST /build/sessions takes: secrets by id, in base64, and the names of agents."""

    Secrets: dict[str, str] | None
    Agents: list[str] | None


class BuildSession(TypedDict, total=False):
    """What it answers."""

    Id: str | None


class ExportBuildCache(TypedDict, total=False):
    """What POST /build/cache takes: keys of steps, as `cache` events tell them, and a name for the whole."""

    Keys: list[str] | None
    Tag: str | None


class BuildReport(TypedDict, total=False):
    """What POST /build answers with `call=check`, `outline` or `targets`."""

    Text: str | None
    Findings: int | None


class BuildStep(TypedDict, total=False):
    """One thing that happened, with `progress=steps`; *Event* tells which of the other keys are there.

    started: all of Step, Total, Stage, StageName, Position, StageSteps, Text. output: Step, Data, Error.
    done: Step, Cached, Image. failed: Step, Message, Line. noticed: Message, Check, Line. tagged: Text.
    cache: Text (a folder of the client), Keys.
    """

    Event: str | None
    Step: int | None
    Total: int | None
    Stage: int | None
    StageName: str | None
    Position: int | None
    StageSteps: int | None
    Text: str | None
    Data: str | None
    Error: bool | None
    Cached: bool | None
    Image: str | None
    Message: str | None
    Check: str | None
    Line: int | None
    Keys: list[str] | None
