"""The language of ps(1)'s options, as far as it is understood here: which columns, in which order, of what."""

import re
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InternalError, InvalidInput

_FULL: Final = "user:UID pid ppid c stime tty:TTY time cmd"
_MORE: Final = "user:UID pid ppid c sz rss psr stime tty:TTY time cmd"
_LONG: Final = "flags s uid pid ppid c pri ni addr sz wchan tty:TTY time comm:CMD"
_SHORT: Final = "pid tty:TTY time comm:CMD"
_JOBS: Final = "pid pgid sid tty:TTY time comm:CMD"
_BSD_USER: Final = "user pid %cpu %mem vsz rss tty:TTY stat start:START bsdtime:TIME args:COMMAND"
_BSD_LONG: Final = "flags uid pid ppid pri ni vsz rss wchan stat tty:TTY bsdtime:TIME args:COMMAND"
_BSD_JOBS: Final = "ppid pid pgid sid tty:TTY tpgid stat uid bsdtime:TIME args:COMMAND"
_BSD_MEMORY: Final = "pid tty:TTY stat bsdtime:TIME majflt:MAJFL trs drs rss %mem args:COMMAND"
_BSD_SHORT: Final = "pid tty:TTY stat bsdtime:TIME args:COMMAND"

_UNIX_STYLES: Final = {"f": _FULL, "F": _MORE, "l": _LONG, "j": _JOBS}
_BSD_STYLES: Final = {"u": _BSD_USER, "l": _BSD_LONG, "j": _BSD_JOBS, "v": _BSD_MEMORY}
_UNIX_NOTHING: Final = frozenset("eAadNw")
_BSD_NOTHING: Final = frozenset("axTrw")
"""What selects among the processes of the host; those of a container are all told."""

_WIDTH: Final = re.compile(r":[0-9]{1,4}\Z")

Column = tuple[str, str]
"""What a column shows, and its title."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A table of processes.

    *order* holds kinds of columns, those with True backwards; *indent* shows whose child one is; with *threads* there
    is a row for each.
    """

    columns: tuple[Column, ...]
    order: tuple[tuple[str, bool], ...] = ()
    indent: str = ""
    threads: bool = False


@dataclass(slots=True)
class _Read:
    """What the words read so far ask for."""

    chosen: list[Column]
    order: list[tuple[str, bool]]
    style: str = ""
    indent: str = ""
    thread: str = ""


FOREST, HIERARCHY = "forest", "hierarchy"


def parse_ps(ps_args: str) -> Asked:
    """What ps would show. Raises InvalidInput for what is not understood, InternalError for what shows no PID."""
    words = ps_args.split()
    read = _Read([], [])
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            _long_option(read, word, words)
        elif word.startswith("-"):
            _unix_options(read, word, words)
        else:
            _bsd_options(read, word, words)
    columns = read.chosen or _with_threads(_named(read.style or _SHORT), read.thread)
    if not any(kind == "pid" and title == "PID" for kind, title in columns):
        raise InternalError("Couldn't find PID field in ps output")
    return Asked(tuple(columns), tuple(read.order), read.indent, bool(read.thread))


def _long_option(read: _Read, word: str, words: list[str]) -> None:
    name, equals, value = word.partition("=")
    if name == "--forest" and not equals:
        read.indent = FOREST
        return
    if name not in {"--sort", "--format"}:
        raise _unsupported(word)
    value = value or (words.pop(0) if words else "")
    if name == "--sort":
        read.order += _parse_order(value)
    else:
        read.chosen += _parse_format(value)


def _unix_options(read: _Read, word: str, words: list[str]) -> None:
    letters, found, spec = word[1:].partition("o")
    for letter in letters:
        if letter in _UNIX_STYLES:
            read.style = _UNIX_STYLES[letter] if letter != "f" or read.style != _MORE else _MORE
        elif letter == "H":
            read.indent = HIERARCHY
        elif letter in "LT":
            read.thread = "lwp" if letter == "L" else "spid"
        elif letter not in _UNIX_NOTHING:
            raise _unsupported(word)
    if found:
        read.chosen += _parse_format(spec or (words.pop(0) if words else ""))


def _bsd_options(read: _Read, word: str, words: list[str]) -> None:
    letters, found, spec = word.partition("o")
    for position, letter in enumerate(letters):
        if letter == "k":
            rest = letters[position + 1 :] + found + spec
            read.order += _parse_order(rest or (words.pop(0) if words else ""))
            return
        if letter == "f":
            read.indent = FOREST
        elif letter not in _BSD_STYLES.keys() | _BSD_NOTHING:
            raise _unsupported(word)
        read.style = _BSD_STYLES.get(letter) or read.style or _BSD_SHORT
    if found:
        read.chosen += _parse_format(spec or (words.pop(0) if words else ""))


def _with_threads(columns: list[Column], thread: str) -> list[Column]:
    """With a column of the thread behind its process, and in the full forms one of how many there are."""
    if not thread:
        return columns
    kinds = [kind for kind, _ in columns]
    before = "ppid" if thread == "lwp" and "ppid" in kinds else "pid"
    columns.insert(kinds.index(before) + 1, (thread, thread.upper()))
    if thread == "lwp" and "c" in kinds and "flags" not in kinds:
        columns.insert(kinds.index("c") + 2, ("nlwp", "NLWP"))
    return columns


def _unsupported(word: str) -> InvalidInput:
    kind = "gnu long option" if word.startswith("--") else "SysV option" if word.startswith("-") else "BSD syntax"
    return InvalidInput(f"ps: error: unsupported option ({kind}): {word[:64]}")


def _parse_order(spec: str) -> list[tuple[str, bool]]:
    order = []
    for part in spec.split(","):
        name = part.lstrip("+-")
        kind = ALIASES.get(name, name)
        if kind not in KINDS:
            raise InvalidInput(f"ps: error: unknown sort specifier: {name[:64]}")
        order.append((kind, part.startswith("-")))
    return order


def _parse_format(spec: str) -> list[Column]:
    columns: list[Column] = []
    for part in spec.replace(",", " ").split():
        wide, equals, title = part.partition("=")
        name = _WIDTH.sub("", wide)
        kind = ALIASES.get(name, name)
        if kind not in KINDS:
            raise InvalidInput(f'ps: error: unknown user-defined format specifier "{name[:64]}"')
        columns.append((kind, title if equals else _TITLES.get(name, name.upper())))
    if not columns:
        raise InvalidInput("ps: error: improper format list")
    return columns


def _named(words: str) -> list[Column]:
    pairs = (word.partition(":") for word in words.split())
    return [(ALIASES.get(kind, kind), title or _TITLES.get(kind, kind.upper())) for kind, _, title in pairs]


KINDS: Final = frozenset(
    {
        "%cpu",
        "%mem",
        "addr",
        "args",
        "bsdtime",
        "c",
        "cgroup",
        "cls",
        "comm",
        "cputimes",
        "drs",
        "etime",
        "etimes",
        "flags",
        "gid",
        "group",
        "label",
        "lstart",
        "lwp",
        "majflt",
        "minflt",
        "ni",
        "nlwp",
        "pgid",
        "pid",
        "ppid",
        "pri",
        "psr",
        "rgid",
        "rgroup",
        "rss",
        "rtprio",
        "ruid",
        "ruser",
        "s",
        "sid",
        "spid",
        "stat",
        "stime",
        "sz",
        "time",
        "tpgid",
        "trs",
        "tty",
        "uid",
        "user",
        "vsz",
        "wchan",
    }
)
"""What a column may show."""

ALIASES: Final = {
    "cmd": "args",
    "command": "args",
    "ucmd": "comm",
    "ucomm": "comm",
    "fname": "comm",
    "start": "stime",
    "start_time": "stime",
    "bsdstart": "stime",
    "cputime": "time",
    "times": "cputimes",
    "class": "cls",
    "policy": "cls",
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
    "euid": "uid",
    "egid": "gid",
    "egroup": "group",
    "pgrp": "pgid",
    "sess": "sid",
    "session": "sid",
    "thcount": "nlwp",
    "f": "flags",
    "tid": "lwp",
    "tgid": "pid",
    "maj_flt": "majflt",
    "min_flt": "minflt",
    "z": "label",
}
_TITLES: Final = {
    "args": "COMMAND",
    "cmd": "CMD",
    "command": "COMMAND",
    "start": "STARTED",
    "bsdstart": "START",
    "start_time": "START",
    "ucmd": "CMD",
    "comm": "COMMAND",
    "ucomm": "COMMAND",
    "fname": "COMMAND",
    "cputime": "TIME",
    "bsdtime": "TIME",
    "cputimes": "TIME",
    "times": "TIME",
    "lstart": "STARTED",
    "etime": "ELAPSED",
    "etimes": "ELAPSED",
    "class": "CLS",
    "policy": "POL",
    "flags": "F",
    "pcpu": "%CPU",
    "pmem": "%MEM",
    "state": "S",
    "tname": "TTY",
    "tty": "TT",
    "tt": "TT",
    "thcount": "THCNT",
    "majflt": "MAJFL",
    "maj_flt": "MAJFL",
    "minflt": "MINFL",
    "min_flt": "MINFL",
}
