"""What is mounted on the host for a container before it starts: parts of volumes, images, id-mapped folders.

All other mounts are made by the container's own init. These few stand below `<exec-root>/mounts/<id>` while the
container runs, out of everybody's reach.
"""

import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from havre.base.errors import Conflict
from havre.base.tasks import in_thread
from havre.engine.model import ImageMount, Record, ResolvedMount, TmpfsMount
from havre.engine.mount_sources import part_of, source_tree
from havre.engine.parts import Parts
from havre.kernel.libc import KernelError
from havre.kernel.mounts import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    OPEN_TREE_CLONE,
    UMOUNT_DETACH,
    MountAttr,
    move_mount,
    open_tree,
    umount,
)
from havre.kernel.overlay_options import lower_folders
from havre.kernel.overlays import detached_overlay
from havre.oci.digest import Digest

_PRIVATE = 0o700


async def stage(parts: Parts, record: Record, undo: AsyncExitStack) -> dict[str, str]:
    """Mount what is needed; where each such mount is to be taken from, by destination. Raises InvalidInput."""
    mounts = _staged_mounts(record)
    if not mounts:
        return {}
    undo.push_async_callback(in_thread, unstage_all, parts, record.id)
    sources: dict[str, str] = {}
    for number, mount in enumerate(mounts):
        place = _folder(parts, record.id) / str(number)
        await in_thread(_stage_one, parts, f"{record.id}-{number}", mount, place)
        sources[mount.destination] = str(place)
    return sources


async def unstage(parts: Parts, record: Record) -> None:
    """Its run is over."""
    if _staged_mounts(record):
        await in_thread(unstage_all, parts, record.id)


def unstage_all(parts: Parts, identifier: str) -> None:
    """Take down everything that stands for a container; what is not there is no error."""
    folder = _folder(parts, identifier)
    if not folder.exists():
        return
    for place in list(folder.iterdir()):
        with suppress(KernelError):
            umount(place, UMOUNT_DETACH)
        parts.snapshots.discard(f"{identifier}-{place.name}")
        with suppress(OSError):
            if place.is_dir():
                place.rmdir()
            else:
                place.unlink()
    with suppress(OSError):
        folder.rmdir()


def _staged_mounts(record: Record) -> list[ResolvedMount]:
    return [mount for mount in record.mounts if not isinstance(mount, TmpfsMount) and _needs_host(mount)]


def _needs_host(mount: ResolvedMount) -> bool:
    return isinstance(mount, ImageMount) or bool(getattr(mount, "subpath", "") or getattr(mount, "id_map", None))


def _stage_one(parts: Parts, key: str, mount: ResolvedMount, place: Path) -> None:
    if isinstance(mount, TmpfsMount):
        return
    if isinstance(mount, ImageMount):
        _stage_image(parts, key, mount, place)
        return
    put_mount(source_tree(mount), place)


def _stage_image(parts: Parts, key: str, mount: ImageMount, place: Path) -> None:
    parts.snapshots.discard(key)
    (root,) = parts.snapshots.prepare(key, Digest.parse(mount.chain) if mount.chain else None)
    top = parts.snapshots.diff_path(_donor(parts, mount.container) if mount.container else key)
    layers = [str(top), *lower_folders(root.options or ())]
    whole = detached_overlay(layers, attributes=int(MountAttr.RDONLY | MountAttr.NODEV))
    if not mount.subpath:
        put_mount(whole, place)
        return
    beside = place.with_name(f"{place.name}-whole")
    put_mount(whole, beside)
    folder = os.open(beside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = part_of(folder, mount.subpath, mount.image)
        try:
            put_mount(open_tree(found, "", OPEN_TREE_CLONE | AT_EMPTY_PATH), place)
        finally:
            os.close(found)
    finally:
        os.close(folder)


def _donor(parts: Parts, container: str) -> str:
    """The container whose root is looked at, under what it runs on now: only one that rests can be seen so."""
    record = parts.roster.get(container).record
    if record.alive:
        raise Conflict(f"the root of container {record.name} cannot be mounted while it runs: enter its namespaces")
    return record.id


def put_mount(tree: int, place: Path) -> None:
    """Mount the detached *tree* at *place*, which becomes a file or a folder as that is."""
    try:
        place.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        if Path(f"/proc/self/fd/{tree}").is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.touch()
        move_mount(tree, AT_FDCWD, place)
    finally:
        os.close(tree)


def _folder(parts: Parts, identifier: str) -> Path:
    return parts.folders.exec_root / "mounts" / identifier
