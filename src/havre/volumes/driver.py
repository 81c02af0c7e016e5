"""The local driver's file systems: `type`, `device` and `o` as mount(8) takes them, mounted while they are used."""

import errno
import os
from pathlib import Path
from typing import Final

from havre.base.errors import InternalError
from havre.kernel.inroot import RESOLVE_NO_XDEV, openat2
from havre.kernel.libc import KernelError
from havre.kernel.mounts import UMOUNT_DETACH, MountFlag, mount, umount
from havre.volumes.model import Volume

_FLAGS: Final = {
    "ro": MountFlag.RDONLY,
    "nosuid": MountFlag.NOSUID,
    "nodev": MountFlag.NODEV,
    "noexec": MountFlag.NOEXEC,
    "sync": MountFlag.SYNCHRONOUS,
    "dirsync": MountFlag.DIRSYNC,
    "noatime": MountFlag.NOATIME,
    "nodiratime": MountFlag.NODIRATIME,
    "relatime": MountFlag.RELATIME,
    "strictatime": MountFlag.STRICTATIME,
    "bind": MountFlag.BIND,
    "rbind": MountFlag.BIND | MountFlag.REC,
}
_SILENT: Final = frozenset({"rw", "suid", "dev", "exec", "async", "atime", "diratime", "defaults", ""})


def mount_volume(volume: Volume, target: Path) -> None:
    """Mount what *volume* asks for on *target*, once. Raises InternalError in Docker's words."""
    if is_mounted(target):
        return
    flags, data = split_options(volume.options.get("o", ""))
    device, kind = volume.options.get("device", ""), volume.options.get("type", "")
    try:
        mount(device, target, "" if flags & MountFlag.BIND else kind, flags, data)
        if flags & MountFlag.BIND and flags & MountFlag.RDONLY:
            mount("", target, "", MountFlag.BIND | MountFlag.REMOUNT | MountFlag.RDONLY)
    except KernelError as failed:
        raise InternalError(
            f"error while mounting volume '{target}': failed to mount local volume: "
            f"mount {device}:{target}, data: {data}: {failed.strerror}"
        ) from failed


def unmount_volume(target: Path) -> None:
    """Take the mount off; what is not mounted is no error."""
    while is_mounted(target):
        umount(target, UMOUNT_DETACH)


def is_mounted(target: Path) -> bool:
    """Whether something lies on the folder *target*, also a bound folder of the same device; absent: no."""
    try:
        parent = os.open(target.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        os.close(openat2(parent, target.name, os.O_PATH, resolve=RESOLVE_NO_XDEV))
    except KernelError as failed:
        if failed.errno == errno.EXDEV:
            return True
        if failed.errno != errno.ENOENT:
            raise
    finally:
        os.close(parent)
    return False


def split_options(text: str) -> tuple[int, str]:
    """The flags among mount(8)'s options, and the rest, which is for the file system."""
    flags = 0
    data: list[str] = []
    for option in text.split(","):
        if option in _FLAGS:
            flags |= int(_FLAGS[option])
        elif option not in _SILENT:
            data.append(option)
    return flags, ",".join(data)
