"""Shared memory that others may join (`--ipc shareable`): the one mount that must stand on the host."""

import contextlib
import errno
from pathlib import Path

from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountFlag, mount, umount

_FLAGS = MountFlag.NOSUID | MountFlag.NODEV | MountFlag.NOEXEC
_DETACH = 2  # MNT_DETACH of umount2(2)


def folder_of(exec_root: Path, identifier: str) -> Path:
    """Where the shared memory of a container stands."""
    return exec_root / "shm" / identifier


def mount_shared_memory(exec_root: Path, identifier: str, size_bytes: int) -> str:
    """Mount it; gives its path."""
    folder = folder_of(exec_root, identifier)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount("shm", folder, "tmpfs", _FLAGS, f"mode=1777,size={size_bytes}")
    return str(folder)


def unmount_shared_memory(exec_root: Path, identifier: str) -> None:
    """Take it away; what is not there is no error."""
    folder = folder_of(exec_root, identifier)
    if not folder.exists():
        return
    try:
        umount(folder, _DETACH)
    except KernelError as failed:
        if failed.errno != errno.EINVAL:  # not a mount point
            raise
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()
    with contextlib.suppress(OSError):  # others are still in it
        folder.parent.rmdir()
