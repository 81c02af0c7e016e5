"""Whether later mounts can pass between the host and a container: the host's mount decides. mount_namespaces(7)."""

import os
from collections.abc import Iterable
from pathlib import Path

from havre.base.errors import InternalError
from havre.engine.model import BindMount, ResolvedMount

_WANTED = {
    **dict.fromkeys(("shared", "rshared"), (("shared:",), "a shared")),
    **dict.fromkeys(("slave", "rslave"), (("shared:", "master:"), "a shared or slave")),
}


def propagating(mounts: Iterable[ResolvedMount]) -> list[BindMount]:
    """Those that shall get mounts from the host later, or give it theirs."""
    return [mount for mount in mounts if isinstance(mount, BindMount) and mount.propagation in _WANTED]


def check_propagation(mounts: Iterable[BindMount]) -> None:
    """Look at the mounts that the sources lie on.

    Raises InternalError, as Docker does, for one that passes nothing on; OSError without a source.
    """
    for mount in mounts:
        marks, kind = _WANTED[mount.propagation]
        point, fields = _mount_of(mount.source)
        if not any(field.startswith(marks) for field in fields):
            raise InternalError(f"path {mount.source} is mounted on {point} but it is not {kind} mount")


def _mount_of(path: str) -> tuple[str, list[str]]:
    """Where the mount that *path* lies on is mounted, and its optional fields: proc_pid_mountinfo(5)."""
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        about = Path(f"/proc/self/fdinfo/{handle}").read_text()
    finally:
        os.close(handle)
    number = about.partition("mnt_id:")[2].split()[0]
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        words = line.partition(" - ")[0].split(" ")
        if words[0] == number:
            return words[4], words[6:]
    return "/", []
