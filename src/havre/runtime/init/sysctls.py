"""Kernel settings of the container's own namespaces: only those, by a list (rule 17)."""

import os

from havre.kernel.procfs import Proc, sysctl_path
from havre.runtime.errors import StepFailed
from havre.runtime.init.mounts import told

_IPC = frozenset(
    {
        "kernel/auto_msgmni",
        "kernel/msgmax",
        "kernel/msgmnb",
        "kernel/msgmni",
        "kernel/sem",
        "kernel/shmall",
        "kernel/shmmax",
        "kernel/shmmni",
        "kernel/shm_rmid_forced",
    }
)
_UTS = frozenset({"kernel/domainname"})


def needed_namespace(name: str) -> str:
    """The OCI type of the namespace that sysctl *name* belongs to. StepFailed when it is the host's, or no name."""
    try:
        path = sysctl_path(name)
    except OSError as error:
        raise StepFailed(f"sysctl {name!r} is not a name") from error
    if path in _IPC or path.startswith("fs/mqueue/"):
        return "ipc"
    if path in _UTS:
        return "uts"
    if path.startswith("net/"):
        return "network"
    if path == "kernel/hostname":
        raise StepFailed(f'sysctl "{name}" is set by the hostname of the spec')
    raise StepFailed(f'sysctl "{name}" is not in a separate kernel namespace')


def write_sysctls(proc: Proc, sysctls: "dict[str, str]", own: "frozenset[str]") -> None:
    """Set *sysctls*, each of which must belong to a namespace among *own*."""
    for name, value in sysctls.items():
        kind = needed_namespace(name)
        if kind not in own:
            raise StepFailed(f'sysctl "{name}" is not allowed in the hosts {kind} namespace')
        try:
            proc.write_sysctl(name, value)
        except OSError as error:
            raise StepFailed(f"error setting sysctl {name}={value!r}: {told(error)}") from error


def own_namespaces(namespaces: "list[tuple[str, str]]") -> "frozenset[str]":
    """The types among (type, path) that are not the host's: made afresh, or joined and another than ours."""
    own = set()
    for kind, path in namespaces:
        if not path or not _is_ours(kind, path):
            own.add(kind)
    return frozenset(own)


def _is_ours(kind: str, path: str) -> bool:
    name = {"network": "net", "mount": "mnt"}.get(kind, kind)
    try:
        here = os.stat(f"/proc/self/ns/{name}")  # noqa: PTH116  no pathlib in the launcher
        there = os.stat(path)  # noqa: PTH116  the same
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
