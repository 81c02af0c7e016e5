"""Builds as Havre's own command line asks for them and hears of them."""

from typing import TypedDict


class CreateBuildSession(TypedDict, total=False):
    """What POST /build/sessions takes: secrets by id, in base64, and the names of agents."""

    Secrets: dict[str, str] | None
    Agents: list[str] | None


class BuildSession(TypedDict, total=False):
    """What it answers."""

    Id: str | None


class BuildReport(TypedDict, total=False):
    """What POST /build answers with `call=check`, `outline` or `targets`."""

    Text: str | None
    Findings: int | None


class BuildStep(TypedDict, total=False):
    """One thing that happened, with `progress=steps`; *Event* tells which of the other keys are there.

    started: all of Step, Total, Stage, StageName, Position, StageSteps, Text. output: Step, Data, Error.
    done: Step, Cached, Image. failed: Step, Message, Line. noticed: Message, Check, Line. tagged: Text.
    """

    Event: str
    Step: int
    Total: int
    Stage: int
    StageName: str
    Position: int
    StageSteps: int
    Text: str
    Data: str
    Error: bool
    Cached: bool
    Image: str
    Message: str
    Check: str
    Line: int
