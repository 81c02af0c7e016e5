"""Which processes of a container a probe started: by descent, by session, and by the pipes that it says its words to.

A child that made a session of its own and whose parent has ended is still known as long as it holds the probe's output.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from havre.kernel.process import pidfd_open, pidfd_send_signal

_PARENT_FIELD: Final = 1
_SESSION_FIELD: Final = 3
"""Of /proc/PID/stat, counted after the name: proc(5)."""


class Marks(NamedTuple):
    """A probe: its first process as the host numbers it, and what its output is called in /proc/PID/fd."""

    leader: int
    pipes: frozenset[str]


class Kin(NamedTuple):
    """What tells whose child a process is."""

    parent: int
    session: int
    outputs: frozenset[str]


def marks_of(leader: int) -> Marks:
    """The marks of a probe that has just begun."""
    return Marks(leader, _outputs(leader))


def family(marks: Marks, kin: dict[int, Kin]) -> set[int]:
    """Those of *kin* that belong to the probe; pure."""
    members = {marks.leader}
    while True:
        found = {
            pid
            for pid, one in kin.items()
            if pid not in members
            and (one.parent in members or one.session in members or not marks.pipes.isdisjoint(one.outputs))
        }
        if not found:
            return members & kin.keys()
        members |= found


def kill_family(marks: Marks, pids: Iterable[int]) -> int:
    """Kill those of *pids* that belong to the probe; how many there were."""
    handles: dict[int, int] = {}
    try:
        for pid in pids:
            with suppress(OSError):
                handles[pid] = pidfd_open(pid)
        kin = {pid: one for pid in handles if (one := _kin(pid)) is not None}
        members = family(marks, kin)
        for pid in members:
            with suppress(OSError):  # it ended by itself
                pidfd_send_signal(handles[pid], signal.SIGKILL)
        return len(members)
    finally:
        for handle in handles.values():
            os.close(handle)


def _kin(pid: int) -> Kin | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  proc(5)
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return Kin(int(fields[_PARENT_FIELD]), int(fields[_SESSION_FIELD]), _outputs(pid))


def _outputs(pid: int) -> frozenset[str]:
    found = set()
    for number in (1, 2):
        with suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/fd/{number}"))  # noqa: PTH115  proc(5)
    return frozenset(name for name in found if name.startswith(("pipe:", "socket:")))
