"""The named steps of the verbs that change much: told to whoever wants to know how long each takes.

Where a crash must leave nothing half done, tests make one: with `HAVRE_TEST_KILL_AT=<verb>.<step>` in its
environment, the engine kills itself with SIGKILL as it passes that step. Nothing else heeds the variable.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

STEPS: Final = (
    "create.files",
    "create.volumes",
    "create.recorded",
    "start.network",
    "start.prepared",
    "start.launched",
    "start.recorded",
    "stop.signalled",
    "stop.recorded",
    "stop.given-back",
    "remove.marked",
    "remove.forgotten",
    "remove.files",
    "commit.frozen",
    "commit.written",
    "commit.added",
    "put.begun",
    "put.extracted",
    "take.begun",
)
"""Each is passed once the work that it names is done."""

_KILL_AT: Final = os.environ.get("HAVRE_TEST_KILL_AT", "")


class Passed(NamedTuple):
    """A step that is done, and when, in nanoseconds of the monotonic clock."""

    step: str
    at_ns: int


_story: ContextVar[list[Passed] | None] = ContextVar("story", default=None)


@contextmanager
def listening() -> Iterator[list[Passed]]:
    """Collect the steps that this task passes in the block."""
    story: list[Passed] = []
    token = _story.set(story)
    try:
        yield story
    finally:
        _story.reset(token)


def listened_to() -> bool:
    """Whether somebody collects the steps of this task."""
    return _story.get() is not None


def tell(step: str, at_ns: int) -> None:
    """A step of another process, as that told it."""
    if (story := _story.get()) is not None:
        story.append(Passed(step, at_ns))


def passed(step: str) -> None:
    """The work of *step* is done."""
    if (story := _story.get()) is not None:
        story.append(Passed(step, time.monotonic_ns()))
    if _KILL_AT and step == _KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
