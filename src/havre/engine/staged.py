"""What is mounted for a container before it starts: volumes of drivers, parts of volumes, images, id-mapped folders.

Most mounts are made by the container's own init. These few need the host: they stand below `<exec-root>/mounts/<id>`
while the container runs, out of everybody's reach.
"""

import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from havre.base.errors import HavreError, InvalidInput
from havre.base.tasks import in_thread
from havre.engine.model import BindMount, ImageMount, Record, ResolvedMount, VolumeMount
from havre.engine.parts import Parts
from havre.kernel.id_mapped import id_mapped
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.mounts import AT_EMPTY_PATH, AT_FDCWD, OPEN_TREE_CLONE, UMOUNT_DETACH, move_mount, open_tree, umount
from havre.oci.digest import Digest

_PRIVATE = 0o700


async def stage(parts: Parts, record: Record, undo: AsyncExitStack) -> dict[str, str]:
    """Mount what is needed; where each mount that needed it is to be taken from, by destination."""
    mounts = [mount for mount in record.mounts if _needs_host(mount)]
    if not mounts:
        return {}
    undo.push_async_callback(unstage, parts, record)
    sources: dict[str, str] = {}
    for number, mount in enumerate(mounts):
        sources[mount.destination] = await _stage_one(parts, record, mount, number)
    return sources


async def unstage(parts: Parts, record: Record) -> None:
    """Take everything down again; what is not there is no error."""
    mounts = [mount for mount in record.mounts if _needs_host(mount)]
    if not mounts:
        return
    await in_thread(_unmount_all, parts, record.id)
    for mount in mounts:
        if isinstance(mount, VolumeMount):
            with suppress(HavreError):  # a plugin that is gone must not keep the container's end from being recorded
                if await parts.volumes.unmount(mount.name, record.id):
                    told = {"container": record.id, "driver": mount.driver}
                    parts.events.publish("volume", "unmount", mount.name, told)


def still_staged(parts: Parts, record: Record) -> None:
    """The container runs since before this process: its volumes are in use."""
    for mount in record.mounts:
        if isinstance(mount, VolumeMount):
            parts.volumes.mounted(mount.name, record.id)


def sweep_staged(parts: Parts, identifier: str) -> None:
    """Take down what stands for a container that is gone."""
    _unmount_all(parts, identifier)


def _needs_host(mount: ResolvedMount) -> bool:
    return isinstance(mount, VolumeMount | ImageMount) or (isinstance(mount, BindMount) and mount.id_map is not None)


async def _stage_one(parts: Parts, record: Record, mount: ResolvedMount, number: int) -> str:
    place = _folder(parts, record.id) / str(number)
    if isinstance(mount, VolumeMount):
        path = await parts.volumes.mount(mount.name, record.id)
        told = {
            "container": record.id,
            "destination": mount.destination,
            "driver": mount.driver,
            "propagation": "",
            "read/write": "true" if mount.writable else "false",
        }
        parts.events.publish("volume", "mount", mount.name, told)
        if not mount.subpath and mount.id_map is None:
            return path
        await in_thread(_part_of_volume, mount, path, place)
    elif isinstance(mount, ImageMount):
        await in_thread(_image, parts, f"{record.id}-{number}", mount, place)
    elif isinstance(mount, BindMount):
        await in_thread(_mapped, mount, place)
    return str(place)


def _part_of_volume(mount: VolumeMount, path: str, place: Path) -> None:
    root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = _inside(root, mount.subpath, f"volume {mount.name}")
        try:
            copy = open_tree(found, "", OPEN_TREE_CLONE | AT_EMPTY_PATH)
            _put(copy if mount.id_map is None else id_mapped(copy, mount.id_map.user, mount.id_map.group), place)
        finally:
            os.close(found)
    finally:
        os.close(root)


def _mapped(mount: BindMount, place: Path) -> None:
    if mount.id_map is None:
        return
    try:
        copy = open_tree(AT_FDCWD, mount.source, OPEN_TREE_CLONE)
        _put(id_mapped(copy, mount.id_map.user, mount.id_map.group), place)
    except KernelError as failed:
        raise InvalidInput(
            f"cannot map the ids of {mount.source}: {failed} (the file system or the kernel may not support it)"
        ) from failed


def _image(parts: Parts, key: str, mount: ImageMount, place: Path) -> None:
    parts.snapshots.discard(key)
    parts.snapshots.prepare(key, Digest.parse(mount.chain) if mount.chain else None)
    with parts.snapshots.mounted(key) as root:
        found = _inside(root, mount.subpath, f"image {mount.image}")
        try:
            _put(open_tree(found, "", OPEN_TREE_CLONE | AT_EMPTY_PATH), place)
        finally:
            os.close(found)


def _inside(root: int, subpath: str, what: str) -> int:
    """A handle on *subpath*, which no link leads out of *root*."""
    try:
        return open_in_root(root, subpath or ".", os.O_PATH)
    except KernelError as missing:
        raise InvalidInput(
            f"cannot access path {subpath} of {what}: {os.strerror(missing.errno or 0).lower()}"
        ) from None


def _put(tree: int, place: Path) -> None:
    """Mount the detached *tree* at *place*, which becomes a file or a folder as that is."""
    try:
        place.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        if os.path.isdir(f"/proc/self/fd/{tree}"):  # noqa: PTH112  a handle of ours
            place.mkdir(exist_ok=True)
        else:
            place.touch()
        move_mount(tree, AT_FDCWD, place)
    finally:
        os.close(tree)


def _folder(parts: Parts, identifier: str) -> Path:
    return parts.folders.exec_root / "mounts" / identifier


def _unmount_all(parts: Parts, identifier: str) -> None:
    folder = _folder(parts, identifier)
    if not folder.exists():
        return
    for place in folder.iterdir():
        with suppress(KernelError):
            umount(place, UMOUNT_DETACH)
        parts.snapshots.discard(f"{identifier}-{place.name}")
        with suppress(OSError):
            place.rmdir() if place.is_dir() else place.unlink()
    with suppress(OSError):
        folder.rmdir()
