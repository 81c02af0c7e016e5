"""What a container has to do with volumes: they are made with it, held by it, mounted for it, and some go with it."""

import errno
import logging
import os
from contextlib import AsyncExitStack
from functools import partial

from msgspec.structs import replace

from havre.base.errors import HavreError, InvalidInput
from havre.base.ids import new_id
from havre.engine.model import ImageMount, Record, ResolvedMount, VolumeMount
from havre.engine.mount_wishes import inherited
from havre.engine.parts import Parts
from havre.engine.roster import NoSuchContainer
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.volumes.model import ANONYMOUS, LOCAL, NoSuchVolume, Volume, VolumeInUse, Wanted
from havre.volumes.plugins import NoSuchDriver

_log = logging.getLogger(__name__)


def with_inherited(
    parts: Parts, mounts: tuple[ResolvedMount, ...], volumes_from: list[str] | None
) -> tuple[ResolvedMount, ...]:
    """*mounts* and those of the containers of `--volumes-from`. Raises InvalidInput, NoSuchContainer in its words."""
    for entry in volumes_from or ():
        ref, _, mode = entry.partition(":")
        if not ref:
            raise InvalidInput(f"invalid volumes-from specification: {entry!r}")
        try:
            donor = parts.roster.get(ref)
        except NoSuchContainer as missing:
            raise InvalidInput(missing.message) from None
        added = inherited(mounts, donor.record.mounts, mode)
        covered = {mount.destination for mount in added}
        mounts = (*(mount for mount in mounts if mount.destination not in covered), *added)
    return mounts


def needs_provision(record: Record) -> bool:
    """Whether `provide` has anything to do."""
    return any(isinstance(mount, VolumeMount | ImageMount) for mount in record.mounts)


async def provide(parts: Parts, record: Record, undo: AsyncExitStack) -> Record:
    """*record* with the volumes that its mounts name, made where they are not there yet and held for it.

    The tree of the container exists already: an empty volume begins with what that has at its place.
    """
    mounts: list[ResolvedMount] = []
    for mount in record.mounts:
        if isinstance(mount, ImageMount) and mount.container:
            donor = parts.roster.get(mount.container).record
            mounts.append(replace(mount, container=donor.id, image=donor.config.image, chain=donor.chain))
            continue
        if isinstance(mount, ImageMount) and not mount.chain:
            chain = parts.images.find(mount.image).chain
            mounts.append(replace(mount, chain="" if chain is None else str(chain)))
            continue
        if not isinstance(mount, VolumeMount):
            mounts.append(mount)
            continue
        settled = await _provide_one(parts, record.id, mount, undo)
        mounts.append(settled)
    return replace(record, mounts=tuple(mounts))


async def _provide_one(parts: Parts, identifier: str, mount: VolumeMount, undo: AsyncExitStack) -> VolumeMount:
    name = mount.name or new_id()
    labels = mount.labels if mount.name else {ANONYMOUS: "", **mount.labels}
    try:
        volume, fresh = await parts.volumes.create(Wanted(name, labels, mount.options, mount.driver))
    except NoSuchDriver as absent:
        # A client takes "not found" for a missing image, and would go and pull it.
        raise InvalidInput(absent.message) from absent
    parts.volumes.hold(name, identifier)
    undo.push_async_callback(_give_up, parts, name, identifier, fresh=fresh)
    if fresh:
        tell(parts, "create", volume)
    if mount.copy:
        await parts.volumes.fill(name, partial(_image_folder, parts, identifier, mount.destination))
    source = str(parts.volumes.path(name))
    anonymous = mount.anonymous or not mount.name
    return replace(mount, name=volume.name, source=source, driver=volume.driver, anonymous=anonymous)


async def _give_up(parts: Parts, name: str, identifier: str, *, fresh: bool) -> None:
    parts.volumes.release(name, identifier)
    if fresh:
        await _remove(parts, name)


def _image_folder(parts: Parts, identifier: str, destination: str) -> int | None:
    with parts.snapshots.mounted(identifier) as root:
        try:
            return open_in_root(root, destination, os.O_RDONLY | os.O_DIRECTORY)
        except KernelError as absent:
            if absent.errno in {errno.ENOENT, errno.ENOTDIR}:
                return None
            raise


def at_their_places(parts: Parts, record: Record) -> Record:
    """*record* with its volumes where they are now: the data may lie elsewhere than when the container was made."""
    mounts = tuple(
        replace(mount, source=str(parts.volumes.path(mount.name))) if isinstance(mount, VolumeMount) else mount
        for mount in record.mounts
    )
    return replace(record, mounts=mounts)


def hold_all(parts: Parts, record: Record) -> None:
    """The volumes of a container that is there already stay."""
    for mount in volume_mounts(record):
        parts.volumes.hold(mount.name, record.id)


async def mount_all(parts: Parts, record: Record, undo: AsyncExitStack | None = None) -> None:
    """Make the content of all its volumes accessible. Raises NoSuchVolume, InternalError."""
    for mount in volume_mounts(record):
        await parts.volumes.mount(mount.name, record.id)
        if undo is not None:
            undo.push_async_callback(parts.volumes.unmount, mount.name, record.id)
            tell(
                parts,
                "mount",
                parts.volumes.get(mount.name),
                container=record.id,
                destination=mount.destination,
                propagation="",
                **{"read/write": "true" if mount.writable else "false"},
            )


async def unmount_all(parts: Parts, record: Record) -> None:
    """Its run is over."""
    for mount in volume_mounts(record):
        await parts.volumes.unmount(mount.name, record.id)
        tell(parts, "unmount", parts.volumes.find(mount.name) or mount.name, container=record.id)


async def let_go(parts: Parts, record: Record, *, anonymous: bool) -> None:
    """The container is gone; with *anonymous* so are its volumes that nobody named and nobody else holds."""
    for mount in volume_mounts(record):
        parts.volumes.release(mount.name, record.id)
        if anonymous and mount.anonymous:
            await _remove(parts, mount.name)


async def _remove(parts: Parts, name: str) -> None:
    """What a driver or the disk refuses stays as a volume of its own: the container does not wait for it."""
    try:
        tell(parts, "destroy", await parts.volumes.remove(name))
    except (VolumeInUse, NoSuchVolume):
        pass
    except (HavreError, OSError) as failed:
        _log.error("volume %s stays: %s", name, failed)


def volume_mounts(record: Record) -> list[VolumeMount]:
    """Those of its mounts that are volumes."""
    return [mount for mount in record.mounts if isinstance(mount, VolumeMount)]


def tell(parts: Parts, action: str, volume: Volume | str, **more: str) -> None:
    """An event of a volume, which may be gone but for its name."""
    name, driver = (volume.name, volume.driver) if isinstance(volume, Volume) else (volume, LOCAL)
    parts.events.publish("volume", action, name, {"driver": driver, **more})
