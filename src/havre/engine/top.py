"""The processes of a container in the columns of ps(1), read from /proc: no program is run for it.

Docker runs the host's `ps`; most of its options are understood here (`ps_words`).
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from havre.engine.processes import PAGE_BYTES, PROC, Process, line_of, read_process, threads_of
from havre.engine.ps_words import HIERARCHY, Asked
from havre.wire.containers import TopResponse

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_NAMES: Final = frozenset({"args", "comm"})
_POLICIES: Final = ("TS", "FF", "RR", "B", "ISO", "IDL", "DLN")
"""sched(7), by number."""


@dataclass(frozen=True, slots=True)
class _Now:
    """The host at the time of asking."""

    uptime_s: float
    memory_kib: int
    wall_s: float
    users: dict[int, str]
    groups: dict[int, str]


def process_table(asked: Asked, pids: Sequence[int]) -> TopResponse:
    """The rows of *pids*; those that ended meanwhile are left out."""
    now = _now()
    found = [process for pid in sorted(pids) for process in _read(pid, threads=asked.threads)]
    for kind, backwards in reversed(asked.order):
        key = _KEYS.get(kind) or _SHOW[kind]
        found.sort(key=lambda process, key=key: key(process, now), reverse=backwards)  # type: ignore[misc]
    indents = [""] * len(found)
    if asked.indent:
        found, indents = _as_tree(found, asked.indent)
    rows = [
        [indent * (kind in _NAMES) + _SHOW[kind](process, now) for kind, _ in asked.columns]
        for process, indent in zip(found, indents, strict=True)
    ]
    return {"Titles": [title for _, title in asked.columns], "Processes": rows}


def _read(pid: int, *, threads: bool) -> list[Process]:
    numbers = threads_of(pid) if threads else [0]
    return [process for number in numbers if (process := read_process(pid, number)) is not None]


def _as_tree(found: list[Process], indent: str) -> tuple[list[Process], list[str]]:
    """Each behind its parent, with what stands before its name."""
    known = {process.pid for process in found}
    below: dict[int, list[Process]] = {}
    for process in found:
        below.setdefault(process.ppid if process.ppid in known else 0, []).append(process)
    ordered, indents = [], []
    waiting = [(process, 0) for process in reversed(below.pop(0, []))]
    while waiting:
        process, depth = waiting.pop()
        ordered.append(process)
        indents.append(_deep(depth, indent))
        children = below.pop(process.pid, []) if process.pid == process.thread else []
        waiting += [(child, depth + 1) for child in reversed(children)]
    return ordered, indents


def _deep(depth: int, indent: str) -> str:
    if indent == HIERARCHY:
        return "  " * depth
    return "    " * (depth - 1) + r" \_ " if depth else ""


def _now() -> _Now:
    uptime = float((PROC / "uptime").read_text(encoding="ascii").split()[0])
    pages = os.sysconf("SC_PHYS_PAGES")
    users, groups = Path("/etc/passwd"), Path("/etc/group")
    return _Now(
        uptime, pages * PAGE_BYTES >> 10, time.time(), _names(users, _stamp(users)), _names(groups, _stamp(groups))
    )


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _names(path: Path, stamp: int) -> dict[int, str]:
    """Names by number of the host's own users or groups, as of *stamp*; read directly, for NSS may ask a server."""
    _ = stamp
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    fields = (line.split(":") for line in lines)
    return {int(one[2]): one[0] for one in fields if len(one) > 2 and one[2].isascii() and one[2].isdigit()}


def _user(process: Process, now: _Now) -> str:
    return now.users.get(process.uid, str(process.uid))


def _age_s(process: Process, now: _Now) -> float:
    return max(now.uptime_s - process.start_ticks / _TICKS, 0.0)


def _percent(process: Process, now: _Now) -> float:
    return process.cpu_ticks / _TICKS / max(_age_s(process, now), 0.01) * 100


def _started(process: Process, now: _Now) -> str:
    """The hour of the same day, the day of the same year, or the year."""
    then, today = time.localtime(now.wall_s - _age_s(process, now)), time.localtime(now.wall_s)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%b%d" if then.tm_year == today.tm_year else "%Y", then)


def _clock(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{text}" if days else text


def _elapsed(process: Process, now: _Now) -> str:
    seconds = int(_age_s(process, now))
    text = _clock(seconds)
    return text[3:] if seconds < 3600 else text


def _bsd_time(process: Process, _now: _Now) -> str:
    seconds = process.cpu_ticks // _TICKS
    return f"{seconds // 60}:{seconds % 60:02d}"


def _tty(process: Process, _now: _Now) -> str:
    if not process.tty:
        return "?"
    major = process.tty >> 8 & 0xFFF
    minor = process.tty & 0xFF | process.tty >> 12 & 0xFFF00
    return f"pts/{minor + (major - 136) * 256}" if 136 <= major <= 143 else f"tty{minor}"


def _waits(process: Process) -> str:
    place = line_of(process, "wchan")
    return "-" if place == "0" else place


def _status(process: Process, _now: _Now) -> str:
    flags = (
        ("<", process.nice < 0),
        ("N", process.nice > 0),
        ("L", process.locked),
        ("s", process.sid == process.pid),
        ("l", process.threads > 1),
        ("+", process.tpgid == process.pgid),
    )
    return process.state + "".join(mark for mark, holds in flags if holds)


_SHOW: Final[dict[str, Callable[[Process, _Now], str]]] = {
    "pid": lambda process, _: str(process.pid),
    "ppid": lambda process, _: str(process.ppid),
    "pgid": lambda process, _: str(process.pgid),
    "sid": lambda process, _: str(process.sid),
    "user": _user,
    "uid": lambda process, _: str(process.uid),
    "group": lambda process, now: now.groups.get(process.gid, str(process.gid)),
    "gid": lambda process, _: str(process.gid),
    "comm": lambda process, _: process.comm,
    "args": lambda process, _: process.args,
    "c": lambda process, now: str(min(int(_percent(process, now)), 99)),
    "%cpu": lambda process, now: f"{_percent(process, now):.1f}",
    "%mem": lambda process, now: f"{process.resident_kib / now.memory_kib * 100:.1f}",
    "vsz": lambda process, _: str(process.size_kib),
    "sz": lambda process, _: str((process.size_kib << 10) // PAGE_BYTES),
    "rss": lambda process, _: str(process.resident_kib),
    "stime": _started,
    "lstart": lambda process, now: time.strftime(
        "%a %b %d %H:%M:%S %Y", time.localtime(now.wall_s - _age_s(process, now))
    ),
    "time": lambda process, _: _clock(process.cpu_ticks // _TICKS),
    "bsdtime": _bsd_time,
    "etime": _elapsed,
    "etimes": lambda process, now: str(int(_age_s(process, now))),
    "tty": _tty,
    "stat": _status,
    "s": lambda process, _: process.state,
    "ni": lambda process, _: str(process.nice),
    "pri": lambda process, _: str(39 - process.priority),
    "nlwp": lambda process, _: str(process.threads),
    "flags": lambda _process, _: "4",
    "addr": lambda _process, _: "-",
    "wchan": lambda process, _: _waits(process),
    "lwp": lambda process, _: str(process.thread),
    "spid": lambda process, _: str(process.thread),
    "tpgid": lambda process, _: str(process.tpgid),
    "ruser": lambda process, now: now.users.get(process.real_uid, str(process.real_uid)),
    "ruid": lambda process, _: str(process.real_uid),
    "rgroup": lambda process, now: now.groups.get(process.real_gid, str(process.real_gid)),
    "rgid": lambda process, _: str(process.real_gid),
    "cputimes": lambda process, _: str(process.cpu_ticks // _TICKS),
    "minflt": lambda process, _: str(process.minor_faults),
    "majflt": lambda process, _: str(process.major_faults),
    "trs": lambda process, _: str(process.code_kib),
    "drs": lambda process, _: str(max(0, process.size_kib - process.code_kib)),
    "psr": lambda process, _: str(process.processor),
    "rtprio": lambda process, _: str(process.realtime) if process.realtime else "-",
    "cls": lambda process, _: _POLICIES[process.policy] if process.policy < len(_POLICIES) else "?",
    "cgroup": lambda process, _: line_of(process, "cgroup"),
    "label": lambda process, _: line_of(process, "attr/current"),
}
_KEYS: Final[dict[str, Callable[[Process, _Now], float]]] = {
    "%cpu": _percent,
    "%mem": lambda process, _: process.resident_kib,
    "rss": lambda process, _: process.resident_kib,
    "vsz": lambda process, _: process.size_kib,
    "pid": lambda process, _: process.pid,
    "ppid": lambda process, _: process.ppid,
    "uid": lambda process, _: process.uid,
    "ni": lambda process, _: process.nice,
    "pri": lambda process, _: 39 - process.priority,
    "nlwp": lambda process, _: process.threads,
    "time": lambda process, _: process.cpu_ticks,
    "cputimes": lambda process, _: process.cpu_ticks,
    "stime": lambda process, _: process.start_ticks,
    "lstart": lambda process, _: process.start_ticks,
    "etime": lambda process, _: -process.start_ticks,
    "etimes": lambda process, _: -process.start_ticks,
}
"""What is sorted by a number; the rest goes by what is shown."""
