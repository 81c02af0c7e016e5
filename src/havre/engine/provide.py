"""What the mounts of a new container need: volumes made and filled from the image, images found, donors asked."""

import os
import stat
from contextlib import AsyncExitStack, suppress

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError, InvalidInput, NotFound
from havre.base.tasks import in_thread
from havre.engine.model import ImageMount, Record, ResolvedMount, VolumeMount
from havre.engine.parts import Parts
from havre.engine.settings import HostConfig
from havre.engine.volume_wishes import inherited_mounts, parse_donor
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.removal import remove_tree
from havre.volumes.copy_up import fill
from havre.volumes.local import needs_mount
from havre.volumes.model import LOCAL

_FOLDER = os.O_RDONLY | os.O_DIRECTORY


def inherited(parts: Parts, host: HostConfig) -> list[ResolvedMount]:
    """The mounts of the containers of `--volumes-from`; of two on one path the later wins. Raises InvalidInput."""
    found: dict[str, ResolvedMount] = {}
    for text in host.volumes_from or ():
        name, mode = parse_donor(text)
        try:
            donor = parts.roster.get(name)
        except HavreError as missing:
            raise InvalidInput(missing.message) from None
        found.update((mount.destination, mount) for mount in inherited_mounts(donor.record.mounts, mode))
    return list(found.values())


async def provide(parts: Parts, record: Record, undo: AsyncExitStack) -> Record:
    """*record* with every volume and image of its mounts there; what must go if the rest fails is pushed on *undo*."""
    if not any(isinstance(mount, VolumeMount | ImageMount) for mount in record.mounts):
        return record
    mounts: list[ResolvedMount] = []
    for mount in record.mounts:
        if isinstance(mount, VolumeMount):
            mounts.append(await _volume(parts, record, mount, undo))
        elif isinstance(mount, ImageMount) and not mount.image_id:
            image = parts.images.find(mount.image)
            mounts.append(replace(mount, image_id=image.id, chain="" if image.chain is None else str(image.chain)))
        else:
            mounts.append(mount)
    record = replace(record, mounts=tuple(mounts))
    for mount in mounts:
        if isinstance(mount, VolumeMount) and mount.copy:
            await _fill(parts, record, mount)
    return record


async def let_volumes_go(parts: Parts, record: Record, *, remove: bool) -> None:
    """The container is gone: its volumes may be removed now, and with *remove* the anonymous ones are."""
    for mount in record.mounts:
        if not isinstance(mount, VolumeMount):
            continue
        parts.volumes.release(mount.name, record.id)
        if remove and mount.anonymous:
            with suppress(Conflict, NotFound):  # another container has it, too
                await remove_volume(parts, mount.name)


async def remove_volume(parts: Parts, name: str, *, force: bool = False) -> None:
    """Destroy a volume and tell so. Raises NotFound, Conflict."""
    removed = await parts.volumes.remove(name, force=force)
    if removed is not None:
        parts.events.publish("volume", "destroy", name, {"driver": removed.driver})


async def _volume(parts: Parts, record: Record, mount: VolumeMount, undo: AsyncExitStack) -> VolumeMount:
    volumes = parts.volumes
    if mount.declared:
        await in_thread(_refuse_file, parts, record, mount.destination)
    volume, made = await volumes.create(mount.name, mount.driver, mount.driver_options, mount.labels, user=record.id)
    if made and mount.anonymous:
        undo.push_async_callback(volumes.remove, volume.name, force=True)
    undo.callback(volumes.release, volume.name, record.id)
    if made:
        parts.events.publish("volume", "create", volume.name, {"driver": volume.driver})
    return replace(mount, name=volume.name, driver=volume.driver, source=volumes.path(volume))


async def _fill(parts: Parts, record: Record, mount: VolumeMount) -> None:
    """Copy what the image has at the mount's place into its volume, if that is empty."""
    volume = parts.volumes.get(mount.name)
    path = await parts.volumes.mount(mount.name, record.id)
    try:
        alone = parts.volumes.users(mount.name) == [record.id]
        swap = alone and volume.driver == LOCAL and not needs_mount(volume)
        await in_thread(_copy, parts, record, mount.destination, path, swap=swap)
    finally:
        _ = await parts.volumes.unmount(mount.name, record.id)


def _copy(parts: Parts, record: Record, destination: str, path: str, *, swap: bool) -> None:
    with parts.snapshots.mounted(record.id) as root:
        try:
            source = open_in_root(root, destination, _FOLDER)
        except KernelError:
            return  # the image has nothing there, or no folder
        try:
            fill(source, path, swap=swap, remove=_remove)
        except OSError as failed:
            raise InvalidInput(f"failed to copy the image's {destination} into the volume: {failed}") from failed
        finally:
            os.close(source)


def _refuse_file(parts: Parts, record: Record, destination: str) -> None:
    with parts.snapshots.mounted(record.id) as root:
        try:
            found = open_in_root(root, destination, os.O_PATH)
        except KernelError:
            return
        try:
            if not stat.S_ISDIR(os.fstat(found).st_mode):
                place = parts.snapshots.target(record.id) / destination.lstrip("/")
                raise InvalidInput(f"cannot mount volume over existing file, file exists {place}")
        finally:
            os.close(found)


def _remove(path: str) -> None:
    parent = os.open(os.path.dirname(path), _FOLDER | os.O_CLOEXEC)  # noqa: PTH120  a text
    try:
        remove_tree(parent, os.path.basename(path))  # noqa: PTH119  a text
    finally:
        os.close(parent)
