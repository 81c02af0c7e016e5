"""How a build is told to clients of the Engine API: the lines of Docker's classic builder, in the file's order."""

from collections.abc import Iterator
from typing import Protocol

from havre.base.ids import short
from havre.build.model import (
    BuildEvent,
    Built,
    CacheOffered,
    Noticed,
    PullTold,
    StepBroke,
    StepDone,
    StepId,
    StepOutput,
    StepRuns,
    StepStarted,
    Tagged,
)
from havre.wire.build import BuildStep
from havre.wire.progress import ProgressLine


class Lines(Protocol):
    """Makes lines of events."""

    def of(self, event: BuildEvent) -> Iterator[ProgressLine]:
        """The lines for *event*, perhaps none yet."""

    def end(self) -> Iterator[ProgressLine]:
        """The lines that are left when all went well."""


class ClassicLines:
    """Stages are built side by side but told one after the other: what comes too early waits."""

    def __init__(self) -> None:
        self._current = 1
        self._waiting: dict[int, list[BuildEvent]] = {}
        self._images: dict[int, str] = {}
        self._processes: dict[int, str] = {}

    def of(self, event: BuildEvent) -> Iterator[ProgressLine]:
        """See `Lines`."""
        step = getattr(event, "step", None)
        if not isinstance(step, StepId):
            yield from self._line(event)
            return
        self._waiting.setdefault(step.number, []).append(event)
        if isinstance(event, StepBroke):
            self._current = step.number  # the last that will be told
        while told := self._waiting.pop(self._current, None):
            for one in told:
                yield from self._line(one)
                if isinstance(one, StepDone):
                    self._current += 1

    def end(self) -> Iterator[ProgressLine]:
        """See `Lines`."""
        yield from ()

    def _line(self, event: BuildEvent) -> Iterator[ProgressLine]:
        match event:
            case StepStarted(step, text):
                yield {"stream": f"Step {step.number}/{step.total} : {text}"}
                yield {"stream": "\n"}
            case StepRuns(step, identifier):
                self._processes[step.number] = identifier
                yield {"stream": f" ---> Running in {short(identifier)}\n"}
            case StepOutput(_, data):
                yield {"stream": data.decode(errors="replace")}
            case StepDone(step, image, cached):
                yield from self._done(step, image, cached=cached)
            case _:
                yield from self._other(event)

    def _done(self, step: StepId, image: str, *, cached: bool) -> Iterator[ProgressLine]:
        if cached:
            yield {"stream": " ---> Using cache\n"}
        process = self._processes.pop(step.number, None)
        if process is not None:
            yield {"stream": f" ---> Removed intermediate container {short(process)}\n"}
        yield {"stream": f" ---> {short(image)}\n"}

    def _other(self, event: BuildEvent) -> Iterator[ProgressLine]:
        match event:
            case Built(image_id):
                yield {"aux": {"ID": image_id}}
                yield {"stream": f"Successfully built {short(image_id)}\n"}
            case Tagged(name):
                yield {"stream": f"Successfully tagged {name}\n"}
            case Noticed(message, ""):
                yield {"stream": f"{message}\n"}
            case PullTold():
                yield _pulling(event)
            case _:
                return


def _pulling(told: PullTold) -> ProgressLine:
    line: ProgressLine = {"status": told.status}
    if told.id:
        line["id"] = told.id
    if told.total:
        line["progressDetail"] = {"current": told.current, "total": told.total}
    return line


class QuietLines:
    """Only the id of the image (`docker build -q`)."""

    def __init__(self) -> None:
        self._image = ""

    def of(self, event: BuildEvent) -> Iterator[ProgressLine]:
        """See `Lines`."""
        if isinstance(event, Built):
            self._image = event.image_id
        yield from ()

    def end(self) -> Iterator[ProgressLine]:
        """See `Lines`."""
        yield {"stream": f"{self._image}\n"}


class StepLines:
    """Each event as it comes, as `wire.build.BuildStep` in `aux`: for Havre's own command line."""

    def of(self, event: BuildEvent) -> Iterator[ProgressLine]:
        """See `Lines`."""
        if isinstance(event, PullTold):
            yield _pulling(event)
        elif isinstance(event, Built):
            yield {"aux": {"ID": event.image_id}}
        elif (told := _told(event)) is not None:
            yield {"aux": dict(told)}

    def end(self) -> Iterator[ProgressLine]:
        """See `Lines`."""
        yield from ()


def _told(event: BuildEvent) -> BuildStep | None:
    match event:
        case StepStarted(step, text):
            return {
                "Event": "started",
                "Step": step.number,
                "Total": step.total,
                "Stage": step.stage,
                "StageName": step.stage_name,
                "Position": step.position,
                "StageSteps": step.stage_steps,
                "Text": text,
            }
        case StepOutput(step, data, is_error):
            return {"Event": "output", "Step": step.number, "Data": data.decode(errors="replace"), "Error": is_error}
        case StepDone(step, image, cached):
            return {"Event": "done", "Step": step.number, "Cached": cached, "Image": image}
        case StepBroke(step, reason, line):
            return {"Event": "failed", "Step": step.number, "Message": reason, "Line": line}
        case Noticed(message, check, location):
            return {
                "Event": "noticed",
                "Message": message,
                "Check": check,
                "Line": location.first if location is not None else 0,
            }
        case Tagged(name):
            return {"Event": "tagged", "Text": name}
        case CacheOffered(name, keys):
            return {"Event": "cache", "Text": name, "Keys": list(keys)}
        case _:
            return None
