"""The `o` of a local volume: words of mount(8) taken apart into flags and data; pure."""

from typing import Final, NamedTuple

from havre.base.errors import InvalidInput
from havre.kernel.mounts import MountFlag as F

_SET: Final = {
    "ro": F.RDONLY,
    "nosuid": F.NOSUID,
    "nodev": F.NODEV,
    "noexec": F.NOEXEC,
    "sync": F.SYNCHRONOUS,
    "dirsync": F.DIRSYNC,
    "mand": F.MANDLOCK,
    "noatime": F.NOATIME,
    "nodiratime": F.NODIRATIME,
    "relatime": F.RELATIME,
    "strictatime": F.STRICTATIME,
    "bind": F.BIND,
    "rbind": F.BIND | F.REC,
    "defaults": F.NONE,
}
_CLEAR: Final = {
    "rw": F.RDONLY,
    "suid": F.NOSUID,
    "dev": F.NODEV,
    "exec": F.NOEXEC,
    "async": F.SYNCHRONOUS,
    "nomand": F.MANDLOCK,
    "atime": F.NOATIME,
    "diratime": F.NODIRATIME,
    "norelatime": F.RELATIME,
    "nostrictatime": F.STRICTATIME,
}
_PROPAGATION: Final = {
    f"{recursive}{name}": flag | (F.REC if recursive else F.NONE)
    for name, flag in (("private", F.PRIVATE), ("shared", F.SHARED), ("slave", F.SLAVE), ("unbindable", F.UNBINDABLE))
    for recursive in ("", "r")
}
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3"})


class Words(NamedTuple):
    """What a list of words asks for; *propagation* takes a mount(2) of its own."""

    flags: int
    propagation: int
    data: tuple[str, ...]

    @property
    def address(self) -> str:
        """The server that a file system on the network names by itself."""
        return next((word.removeprefix("addr=") for word in self.data if word.startswith("addr=")), "")


def parse_words(text: str) -> Words:
    """Raises InvalidInput for a NUL."""
    if "\0" in text:
        raise InvalidInput("mount options cannot hold a NUL")
    flags = propagation = 0
    data = []
    for word in text.split(","):
        if word in _SET:
            flags |= _SET[word]
        elif word in _CLEAR:
            flags &= ~_CLEAR[word]
        elif word in _PROPAGATION:
            propagation = int(_PROPAGATION[word])
        elif word:
            data.append(word)
    return Words(int(flags), propagation, tuple(data))


def needs_address(kind: str) -> bool:
    """Whether a file system of *kind* wants its server's number in `addr=`."""
    return kind in _NETWORK
