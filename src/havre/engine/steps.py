"""The named steps of the verbs that change much: where a crash must leave nothing half done, tests make one.

With `HAVRE_TEST_KILL_AT=<verb>.<step>` in its environment, the engine kills itself with SIGKILL as it passes that
step for the first time. Nothing else heeds the variable.
"""

import os
import signal
from typing import Final

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
)
"""Each is passed once the work that it names is done."""

_KILL_AT: Final = os.environ.get("HAVRE_TEST_KILL_AT", "")


def passed(step: str) -> None:
    """The work of *step* is done."""
    if _KILL_AT and step == _KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
