"""Volumes of this host: plain folders, or something that is mounted on them while a container uses them."""

import errno
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from havre.base.errors import InternalError, InvalidInput, NotSupported
from havre.base.tasks import in_thread
from havre.kernel.libc import KernelError
from havre.kernel.mounts import UMOUNT_DETACH, UMOUNT_NOFOLLOW, MountFlag, mount, umount
from havre.volumes import sized
from havre.volumes.model import Volume
from havre.volumes.mount_words import needs_address, parse_words
from havre.volumes.store import Store

_OPTIONS: Final = ("type", "device", "o", "size")
_NEEDED: Final = {"device": ("type",), "type": ("device",), "o": ("device", "type")}


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Raises InvalidInput with Docker's words, NotSupported for a size that this host cannot enforce."""
    for key in options:
        if key not in _OPTIONS:
            raise InvalidInput(f'create {name}: invalid option: "{key}"')
    for key, others in _NEEDED.items():
        for other in others if options.get(key) else ():
            if not options.get(other):
                raise InvalidInput(f'create {name}: missing required option: "{other}"')
    if "size" in options and options.get("type"):
        raise InvalidInput(f"create {name}: a size goes with plain local volumes, not with type={options['type']}")


class Local:
    """The driver of plain and mounted local volumes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def prepare(self, volume: Volume) -> None:
        """What a new volume needs besides its folder. Raises InvalidInput, NotSupported; nothing is kept then."""
        options = volume.options or {}
        if "size" in options:
            await in_thread(sized.make, self._store.folder(volume.name), sized.parse_size(volume.name, options["size"]))

    def path(self, volume: Volume) -> str:
        """Where its data is, or will be once it is mounted."""
        return str(self._store.data(volume.name))

    async def mount(self, volume: Volume, who: str) -> str:
        """Make the data reachable; its path. Mounting what is mounted is no error."""
        _ = who
        if needs_mount(volume):
            await in_thread(_mount, volume, self._store.folder(volume.name), self._store.data(volume.name))
        return self.path(volume)

    async def unmount(self, volume: Volume, who: str) -> None:
        """Nobody uses it any more; what is not mounted is no error."""
        _ = who
        if needs_mount(volume):
            await in_thread(unmount_data, self._store.data(volume.name))

    async def remove(self, volume: Volume) -> None:
        """Take down what stands besides its folder."""
        await self.unmount(volume, "")


def needs_mount(volume: Volume) -> bool:
    """Whether its data is on a file system of its own."""
    options = volume.options or {}
    return bool(options.get("device") or options.get("size"))


def is_mounted(folder: Path) -> bool:
    """Whether something stands on *folder*, bind mounts of the same disk included."""
    wanted = os.fsencode(folder)
    with open("/proc/self/mountinfo", "rb") as table:  # noqa: PTH123  a fixed file of the kernel
        return any(_unescaped(line.split(b" ", 5)[4]) == wanted for line in table)


def unmount_data(folder: Path) -> None:
    """Take down what is mounted on *folder*; nothing there is no error."""
    try:
        umount(folder, UMOUNT_DETACH | UMOUNT_NOFOLLOW)
    except KernelError as failed:
        if failed.errno not in {errno.EINVAL, errno.ENOENT}:  # not a mount point, or not even a folder
            raise InternalError(f"cannot unmount {folder}: {failed}") from failed


def _mount(volume: Volume, folder: Path, data: Path) -> None:
    if is_mounted(data):
        return
    if (volume.options or {}).get("size"):
        sized.mount_size(folder, data)
        return
    _mount_device(volume, data)


def _mount_device(volume: Volume, data: Path) -> None:
    options = volume.options or {}
    device, kind = options.get("device", ""), options.get("type", "")
    words = parse_words(options.get("o", ""))
    texts = list(words.data)
    if needs_address(kind) and words.address:
        texts = [f"addr={_resolve(words.address)}" if text.startswith("addr=") else text for text in texts]
    try:
        mount(device, data, kind, words.flags, ",".join(texts))
        if words.flags & MountFlag.BIND and words.flags & ~(MountFlag.BIND | MountFlag.REC):
            mount("", data, "", words.flags | MountFlag.REMOUNT)  # a bind ignores all other flags: mount(2)
        if words.propagation:
            mount("", data, "", words.propagation)
    except KernelError as failed:
        unmount_data(data)
        why = os.strerror(failed.errno or 0).lower()
        raise InternalError(
            f"failed to mount local volume: mount {device}:{data}, "
            f"{f'flags: {words.flags:#x}, ' if words.flags else ''}data: {','.join(texts)}: {why}"
        ) from failed


def _resolve(address: str) -> str:
    try:
        found = socket.getaddrinfo(address, None, proto=socket.IPPROTO_TCP)
    except OSError as failed:
        raise NotSupported(f"error resolving passed in network volume address: lookup {address}: {failed}") from failed
    return str(found[0][4][0])


def _unescaped(field: bytes) -> bytes:
    for code, char in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(code, char)
    return field
