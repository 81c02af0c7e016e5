"""The local driver's file systems: `type`, `device` and `o` as mount(8) takes them, mounted while they are used."""

import errno
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from havre.base.errors import HavreError, InternalError
from havre.kernel.inroot import RESOLVE_NO_XDEV, openat2
from havre.kernel.libc import KernelError
from havre.kernel.mounts import UMOUNT_DETACH, MountFlag, mount, umount
from havre.volumes.image import mount_image
from havre.volumes.model import LOCAL, Volume
from havre.volumes.plugins import Plugins

_FLAGS: Final = {
    "ro": MountFlag.RDONLY,
    "nosuid": MountFlag.NOSUID,
    "nodev": MountFlag.NODEV,
    "noexec": MountFlag.NOEXEC,
    "mand": MountFlag.MANDLOCK,
    "sync": MountFlag.SYNCHRONOUS,
    "dirsync": MountFlag.DIRSYNC,
    "noatime": MountFlag.NOATIME,
    "nodiratime": MountFlag.NODIRATIME,
    "relatime": MountFlag.RELATIME,
    "strictatime": MountFlag.STRICTATIME,
    "bind": MountFlag.BIND,
    "rbind": MountFlag.BIND | MountFlag.REC,
}
_PROPAGATION: Final = {
    "shared": MountFlag.SHARED,
    "rshared": MountFlag.SHARED | MountFlag.REC,
    "slave": MountFlag.SLAVE,
    "rslave": MountFlag.SLAVE | MountFlag.REC,
    "private": MountFlag.PRIVATE,
    "rprivate": MountFlag.PRIVATE | MountFlag.REC,
}
_OF_THE_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3"})
_ADDRESS: Final = "addr="
_PASSWORD: Final = re.compile(r"((?:^|,)pass(?:word2?)?=)[^,]*")
_SILENT: Final = frozenset({"rw", "suid", "dev", "exec", "nomand", "async", "atime", "diratime", "defaults", ""})


def mount_volume(volume: Volume, target: Path, plugins: Plugins) -> None:
    """Mount what *volume* asks for on *target*, once. Raises InternalError in Docker's words, NoSuchDriver."""
    if is_mounted(target):
        return
    if volume.driver != LOCAL:
        _bind_foreign(volume, target, plugins)
        return
    if volume.limit_bytes:
        _mount_own(target)
        return
    flags, data = split_options(volume.options.get("o", ""))
    device, kind = volume.options.get("device", ""), volume.options.get("type", "")
    if kind in _OF_THE_NETWORK:
        data = with_address(data)
    try:
        mount(device, target, "" if flags & MountFlag.BIND else kind, flags, data)
        if flags & MountFlag.BIND and flags & ~(MountFlag.BIND | MountFlag.REC):
            mount("", target, "", (flags & ~MountFlag.REC) | MountFlag.REMOUNT)  # a bind takes no other flag: mount(2)
        for word in volume.options.get("o", "").split(","):
            if word in _PROPAGATION:
                mount("", target, "", _PROPAGATION[word])
    except KernelError as failed:
        unmount_volume(target)
        what = _shown(device, target, flags, data)
        raise InternalError(
            f"error while mounting volume '{target}': failed to mount local volume: {what}: "
            f"{os.strerror(failed.errno or 0).lower()}"
        ) from None  # the cause tells passwords


def _shown(device: str, target: Path, flags: int, data: str) -> str:
    """The mount in Docker's words, without passwords."""
    source = f"{device}:{target}" if device else str(target)
    told = [f"flags: {flags:#x}"] if flags else []
    told += ["data: " + _PASSWORD.sub(r"\1********", data)] if data else []
    return ", ".join((f"mount {source}", *told))


def _mount_own(target: Path) -> None:
    try:
        mount_image(target)
    except OSError as failed:
        raise InternalError(f"error while mounting volume '{target}': {failed}") from failed


def _bind_foreign(volume: Volume, target: Path, plugins: Plugins) -> None:
    """Show at *target* what a plugin's driver has mounted elsewhere: so every volume has its content in one place."""
    driver = plugins.driver(volume.driver)
    try:
        content = driver.mount(volume.name, volume.name)
        try:
            mount(content, target, "", MountFlag.BIND | MountFlag.REC)
        except KernelError:
            release_foreign(volume, plugins)
            raise
    except (InternalError, KernelError) as failed:
        raise InternalError(f"error while mounting volume '{target}': {failed}") from failed


def release_foreign(volume: Volume, plugins: Plugins) -> None:
    """Tell a plugin's driver that the volume is not used; what that cannot do stays its own affair."""
    if volume.driver != LOCAL:
        with suppress(HavreError):
            plugins.driver(volume.driver).unmount(volume.name, volume.name)


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
        elif option not in _SILENT and option not in _PROPAGATION:
            data.append(option)
    return flags, ",".join(data)


def with_address(data: str) -> str:
    """*data* with the server's name in `addr=` as a number, as the kernel wants it. Raises InternalError."""
    words = data.split(",")
    for position, word in enumerate(words):
        if word.startswith(_ADDRESS):
            name = word.removeprefix(_ADDRESS)
            try:
                found = socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)
            except OSError as failed:
                raise InternalError(
                    f"error resolving passed in network volume address: lookup {name}: {failed}"
                ) from failed
            words[position] = f"{_ADDRESS}{found[0][4][0]}"
    return ",".join(words)
