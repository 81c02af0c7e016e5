"""Whether the host lets through what a bind mount wants to propagate: mount_namespaces(7), shared subtrees."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from havre.base.errors import InternalError
from havre.engine.model import BindMount, ResolvedMount

_MOUNTS = Path("/proc/self/mountinfo")


def crossing_mounts(mounts: Iterable[ResolvedMount]) -> list[BindMount]:
    """Those of *mounts* whose events go to the host or come from it."""
    return [mount for mount in mounts if isinstance(mount, BindMount) and "private" not in mount.propagation]


def check_propagation(mounts: Iterable[BindMount]) -> None:
    """Raises InternalError, in Docker's words, for a mount whose events would never cross."""
    table = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    for mount in mounts:
        point, tags = mount_below(os.path.realpath(mount.source), table)
        kind = mount.propagation.removeprefix("r")
        if kind == "shared" and "shared" not in tags:
            raise InternalError(f"path {mount.source} is mounted on {point} but it is not a shared mount")
        if kind == "slave" and not tags & {"shared", "master"}:
            raise InternalError(f"path {mount.source} is mounted on {point} but it is not a shared or slave mount")


def mount_below(path: str, table: str) -> tuple[str, frozenset[str]]:
    """The mount point that *path* lies on, and the names of its tags; *table* as in proc_pid_mountinfo(5)."""
    found = "/", frozenset[str]()
    for line in table.splitlines():
        fields = line.split(" ")
        point = re.sub(r"\\(\d{3})", lambda escape: chr(int(escape[1], 8)), fields[4])
        if len(point) >= len(found[0]) and f"{path}/".startswith(f"{point.rstrip('/')}/"):  # the last one is on top
            found = point, frozenset(tag.partition(":")[0] for tag in fields[6 : fields.index("-")])
    return found
