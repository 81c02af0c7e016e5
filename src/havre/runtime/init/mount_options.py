"""The options of a mount, as mount(8) and the OCI specification write them, taken apart: pure."""

from functools import lru_cache
from typing import NamedTuple

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.mounts import MountAttr, MountFlag


class Option(NamedTuple):
    """What one word does: bits of mount(2) and of mount_setattr(2) to set or, for a `no`, to take away.

    *field* are bits of mount_setattr(2) to take away whatever is set: the access time mode is a number, not bits.
    """

    flag: int
    attr: int = 0
    clears: bool = False
    field: int = 0


# Plain integers: enum arithmetic is ten times slower, and this is on the way of each start.
_F = {name: value for name, value in vars(MountFlag).items() if isinstance(value, int)}
_A = {name: value for name, value in vars(MountAttr).items() if isinstance(value, int)}
_ATIME = _A["NOATIME"] | _A["STRICTATIME"]

_WORDS = {
    "ro": Option(_F["RDONLY"], _A["RDONLY"]),
    "rw": Option(_F["RDONLY"], _A["RDONLY"], clears=True),
    "nosuid": Option(_F["NOSUID"], _A["NOSUID"]),
    "suid": Option(_F["NOSUID"], _A["NOSUID"], clears=True),
    "nodev": Option(_F["NODEV"], _A["NODEV"]),
    "dev": Option(_F["NODEV"], _A["NODEV"], clears=True),
    "noexec": Option(_F["NOEXEC"], _A["NOEXEC"]),
    "exec": Option(_F["NOEXEC"], _A["NOEXEC"], clears=True),
    "nosymfollow": Option(_F["NOSYMFOLLOW"], _A["NOSYMFOLLOW"]),
    "symfollow": Option(_F["NOSYMFOLLOW"], _A["NOSYMFOLLOW"], clears=True),
    "nodiratime": Option(_F["NODIRATIME"], _A["NODIRATIME"]),
    "diratime": Option(_F["NODIRATIME"], _A["NODIRATIME"], clears=True),
    "noatime": Option(_F["NOATIME"], _A["NOATIME"]),
    "atime": Option(_F["NOATIME"], _A["NOATIME"], clears=True),
    "strictatime": Option(_F["STRICTATIME"], _A["STRICTATIME"]),
    "nostrictatime": Option(_F["STRICTATIME"], _A["STRICTATIME"], clears=True),
    "relatime": Option(_F["RELATIME"], field=_ATIME),
    "norelatime": Option(_F["RELATIME"], 0, clears=True),
    "sync": Option(_F["SYNCHRONOUS"]),
    "async": Option(_F["SYNCHRONOUS"], clears=True),
    "dirsync": Option(_F["DIRSYNC"]),
    "mand": Option(_F["MANDLOCK"]),
    "nomand": Option(_F["MANDLOCK"], clears=True),
    "iversion": Option(_F["I_VERSION"]),
    "noiversion": Option(_F["I_VERSION"], clears=True),
    "lazytime": Option(_F["LAZYTIME"]),
    "nolazytime": Option(_F["LAZYTIME"], clears=True),
    "silent": Option(_F["SILENT"]),
    "loud": Option(_F["SILENT"], clears=True),
    "remount": Option(_F["REMOUNT"]),
    "defaults": Option(0),
}

_PROPAGATION = {
    "private": _F["PRIVATE"],
    "slave": _F["SLAVE"],
    "shared": _F["SHARED"],
    "unbindable": _F["UNBINDABLE"],
}
_RECURSIVE = {f"r{word}": option for word, option in _WORDS.items() if option.attr or option.field}
# `relatime` is a word of its own, not a recursive `elatime`; the recursive one is spelled with two r.
_UNSUPPORTED = frozenset({"idmap", "ridmap"})

KNOWN = sorted([*_WORDS, *_RECURSIVE, *_PROPAGATION, *(f"r{w}" for w in _PROPAGATION), "bind", "rbind", "tmpcopyup"])
"""Every word that is understood; what is none goes to the file system as it is."""


class Options(NamedTuple):
    """What a list of options asks for. *attr_…* are for the mount itself, *tree_…* for all mounts below it too."""

    bind: bool = False
    recursive: bool = False
    flags: int = 0
    attr_set: int = 0
    attr_clear: int = 0
    tree_set: int = 0
    tree_clear: int = 0
    propagation: int = 0
    propagation_recursive: bool = False
    copy_up: bool = False
    data: tuple[str, ...] = ()


def parse_options(words: "list[str] | None", *, kind: str = "") -> Options:
    """Raises NotSupported for id-mapped mounts, InvalidInput for a NUL."""
    return _parsed(tuple(words or ()), kind)


@lru_cache(maxsize=256)  # most containers ask for the same, and several times
def _parsed(words: "tuple[str, ...]", kind: str) -> Options:
    found = _Found(bind=kind == "bind")
    for word in words:
        found.take(word)
    return Options(
        found.bind,
        found.recursive,
        found.flags,
        found.attr_set,
        found.attr_clear,
        found.tree_set,
        found.tree_clear,
        found.propagation,
        found.propagation_recursive,
        found.copy_up,
        tuple(found.data),
    )


class _Found:
    """The options read so far; of two words about one thing the later wins."""

    def __init__(self, *, bind: bool) -> None:
        self.bind = bind
        self.recursive = self.propagation_recursive = self.copy_up = False
        self.flags = self.attr_set = self.attr_clear = self.tree_set = self.tree_clear = self.propagation = 0
        self.data: list[str] = []

    def take(self, word: str) -> None:
        if (option := _WORDS.get(word)) is not None:
            self.flags = self.flags & ~option.flag if option.clears else self.flags | option.flag
            self.attr_set, self.attr_clear = _applied(option, self.attr_set, self.attr_clear)
        elif word in {"bind", "rbind"}:
            self.bind, self.recursive = True, word == "rbind"
        elif (propagation := _PROPAGATION.get(word)) is not None:
            self.propagation, self.propagation_recursive = propagation, False
        elif word[:1] == "r" and (propagation := _PROPAGATION.get(word[1:])) is not None:
            self.propagation, self.propagation_recursive = propagation, True
        elif (option := _RECURSIVE.get(word)) is not None:
            self.tree_set, self.tree_clear = _applied(option, self.tree_set, self.tree_clear)
        elif word == "tmpcopyup":
            self.copy_up = True
        elif word.partition("=")[0] in _UNSUPPORTED:
            raise NotSupported(f"mount option {word!r}: id-mapped mounts are not supported")
        elif "\0" in word:
            raise InvalidInput(f"mount option with a NUL: {word!r}")
        elif word:
            self.data.append(word)


def _applied(option: Option, set_: int, clear: int) -> tuple[int, int]:
    if option.field:
        return set_ & ~option.field, clear | option.field
    if option.clears:
        return set_ & ~option.attr, clear | option.attr
    return set_ | option.attr, clear & ~option.attr
