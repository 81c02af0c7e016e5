"""The processes of a container in the columns of ps(1), read from /proc: no program is run for it.

Docker runs the host's `ps`; its usual options are understood here: `-ef`, `aux`, `-o a,b=TITLE` and their kin.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from havre.base.errors import InternalError, InvalidInput
from havre.wire.containers import TopResponse

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PROC: Final = Path("/proc")
_FULL: Final = "user:UID pid ppid c stime tty time cmd"
_USER: Final = "user pid %cpu %mem vsz rss tty stat start:START bsdtime:TIME args:COMMAND"
_LONG: Final = "flags s uid pid ppid c pri ni addr sz wchan tty time comm:CMD"
_SHORT: Final = "pid tty time comm:CMD"
_JOBS: Final = "pid pgid sid tty time comm:CMD"
_BSD_SHORT: Final = "pid tty stat bsdtime:TIME args:COMMAND"
_SELECTING: Final = frozenset("eAaxdNTrw")


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc tells of one process; times in clock ticks, memory in KiB."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    tpgid: int
    tty: int
    state: str
    comm: str
    args: str
    uid: int
    gid: int
    cpu_ticks: int
    start_ticks: int
    priority: int
    nice: int
    threads: int
    size_kib: int
    resident_kib: int
    locked: bool


@dataclass(frozen=True, slots=True)
class _Now:
    """The host at the time of asking."""

    uptime_s: float
    memory_kib: int
    wall_s: float
    users: dict[int, str]
    groups: dict[int, str]


Column = tuple[str, str]
"""What a column shows, and its title."""


def parse_columns(ps_args: str) -> list[Column]:
    """The columns that ps would show. Raises InvalidInput for what is not understood, or shows no PID."""
    words = ps_args.split()
    chosen: list[Column] = []
    style = ""
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word.startswith("--"):
            raise _unsupported(word)
        letters, spec = _split(word)
        if spec is not None:
            if not spec and position < len(words):
                spec, position = words[position], position + 1
            chosen += _parse_format(spec)
        style = _style(word, letters, style)
    columns = chosen or _named(style or _SHORT)
    if not any(kind == "pid" for kind, _ in columns):
        raise InternalError("Couldn't find PID field in ps output")
    return columns


def process_table(columns: Sequence[Column], pids: Sequence[int]) -> TopResponse:
    """The rows of *pids*; those that ended meanwhile are left out."""
    now = _now()
    found = [process for pid in sorted(pids) if (process := read_process(pid)) is not None]
    rows = [[_SHOW[kind](process, now) for kind, _ in columns] for process in found]
    return {"Titles": [title for _, title in columns], "Processes": rows}


def read_process(pid: int) -> Process | None:
    """One process; None when it is gone."""
    try:
        raw = (_PROC / str(pid) / "stat").read_bytes()
        status = (_PROC / str(pid) / "status").read_bytes()
        line = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    # The name may hold spaces and brackets; what follows the last bracket may not: proc(5).
    head, _, rest = raw.rpartition(b")")
    comm = head.partition(b"(")[2].decode(errors="replace")
    fields = rest.split()
    args = " ".join(part.decode(errors="replace") for part in line.rstrip(b"\0").split(b"\0"))
    words = dict(entry.split(b":", 1) for entry in status.splitlines() if b":" in entry)
    return Process(
        pid=pid,
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        sid=int(fields[3]),
        tpgid=int(fields[5]),
        tty=int(fields[4]),
        state=fields[0].decode(),
        comm=comm,
        args=args or f"[{comm}]",
        uid=int(words[b"Uid"].split()[1]),
        gid=int(words[b"Gid"].split()[1]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        start_ticks=int(fields[19]),
        priority=int(fields[15]),
        nice=int(fields[16]),
        threads=int(fields[17]),
        size_kib=int(fields[20]) >> 10,
        resident_kib=int(fields[21]) * _PAGE >> 10,
        locked=words.get(b"VmLck", b"0").split()[0] != b"0",
    )


def _split(word: str) -> tuple[str, str | None]:
    """(the option letters, the column format behind an `o`, or None without one)."""
    bare = word.removeprefix("-")
    head, found, tail = bare.partition("o")
    return (head, tail) if found else (bare, None)


def _style(word: str, letters: str, style: str) -> str:
    unix = word.startswith("-")
    styles = (
        {"f": _FULL, "F": _FULL, "l": _LONG, "j": _JOBS}
        if unix
        else {"u": _USER, "l": _LONG, "j": _JOBS, "v": _USER, "f": _FULL if style == _FULL else _BSD_SHORT}
    )
    for letter in letters:
        if letter in styles:
            style = styles[letter]
        elif letter not in _SELECTING:
            raise _unsupported(word)
        elif not unix and not style:
            style = _BSD_SHORT
    return style


def _unsupported(word: str) -> InvalidInput:
    kind = "gnu long option" if word.startswith("--") else "SysV option" if word.startswith("-") else "BSD syntax"
    return InvalidInput(f"ps: error: unsupported option ({kind}): {word[:64]}")


def _parse_format(spec: str) -> list[Column]:
    columns: list[Column] = []
    for part in spec.replace(",", " ").split():
        name, equals, title = part.partition("=")
        kind = _ALIASES.get(name, name)
        if kind not in _SHOW:
            raise InvalidInput(f'ps: error: unknown user-defined format specifier "{name[:64]}"')
        columns.append((kind, title if equals else _TITLES.get(name, name.upper())))
    if not columns:
        raise InvalidInput("ps: error: improper format list")
    return columns


def _named(words: str) -> list[Column]:
    pairs = (word.partition(":") for word in words.split())
    return [(_ALIASES.get(kind, kind), title or _TITLES.get(kind, kind.upper())) for kind, _, title in pairs]


def _now() -> _Now:
    uptime = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    pages = os.sysconf("SC_PHYS_PAGES")
    users, groups = Path("/etc/passwd"), Path("/etc/group")
    return _Now(uptime, pages * _PAGE >> 10, time.time(), _names(users, _stamp(users)), _names(groups, _stamp(groups)))


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
    "sz": lambda process, _: str((process.size_kib << 10) // _PAGE),
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
    "wchan": lambda _process, _: "-",
}
_ALIASES: Final = {
    "cmd": "args",
    "command": "args",
    "ucmd": "comm",
    "start": "stime",
    "start_time": "stime",
    "bsdstart": "stime",
    "cputime": "time",
    "pcpu": "%cpu",
    "pmem": "%mem",
    "tt": "tty",
    "tname": "tty",
    "state": "s",
    "nice": "ni",
    "rssize": "rss",
    "rsz": "rss",
    "vsize": "vsz",
    "euser": "user",
    "uname": "user",
    "ruser": "user",
    "euid": "uid",
    "egid": "gid",
    "egroup": "group",
    "pgrp": "pgid",
    "sess": "sid",
    "session": "sid",
    "thcount": "nlwp",
    "f": "flags",
}
_TITLES: Final = {
    "args": "COMMAND",
    "cmd": "CMD",
    "command": "COMMAND",
    "start": "STARTED",
    "ucmd": "CMD",
    "comm": "COMMAND",
    "lstart": "STARTED",
    "etime": "ELAPSED",
    "etimes": "ELAPSED",
    "tty": "TTY",
    "flags": "F",
    "pcpu": "%CPU",
    "pmem": "%MEM",
    "state": "S",
    "tt": "TT",
}
