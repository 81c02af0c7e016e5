"""Volumes as the Engine API knows them: make, find, remove, prune, measure."""

import asyncio
import os
from contextlib import suppress
from typing import TypeAlias

from havre.base import clock
from havre.base.errors import Conflict, HavreError, InvalidInput, NotFound, Unavailable
from havre.base.tasks import in_thread
from havre.engine.parts import Parts
from havre.engine.provide import remove_volume
from havre.snapshots.walk import tree_size
from havre.volumes.model import LOCAL, Volume
from havre.wire.filters import Filters
from havre.wire.volumes import CreateVolume, PruneVolumesReport, VolumeList
from havre.wire.volumes import Volume as WireVolume

_NS = 1_000_000_000
Rows: TypeAlias = list[WireVolume]
_LIST_FIELDS = frozenset({"dangling", "driver", "label", "name"})
_PRUNE_FIELDS = frozenset({"all", "label", "label!"})
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_NO_CLUSTER = (
    "This node is not a swarm manager. "
    'Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
)


class VolumeService:
    """The verbs on volumes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pruning = asyncio.Lock()

    async def create(self, wanted: CreateVolume) -> WireVolume:
        """Make one; one that is there is shown as it is. Raises InvalidInput, NotFound, Conflict."""
        if wanted.get("ClusterVolumeSpec") is not None:
            raise Unavailable(_NO_CLUSTER)
        volume, made = await self._parts.volumes.create(
            wanted.get("Name") or "", wanted.get("Driver") or "", wanted.get("DriverOpts"), wanted.get("Labels")
        )
        if made:
            self._parts.events.publish("volume", "create", volume.name, {"driver": volume.driver})
        return self._shown(volume)

    async def list(self, filters: Filters) -> VolumeList:
        """Those that pass *filters*. Raises InvalidInput."""
        unknown = filters.keys() - _LIST_FIELDS
        if unknown:
            raise InvalidInput(f"invalid filter '{min(unknown)[:64]}'")
        dangling = _truth(filters, "dangling")
        chosen = [one for one in self._parts.volumes.all() if self._passes(one, filters, dangling=dangling)]
        return {"Volumes": [self._shown(one) for one in chosen], "Warnings": None}

    async def inspect(self, name: str) -> WireVolume:
        """One. Raises NoSuchVolume."""
        return self._shown(self._parts.volumes.get(name))

    async def remove(self, name: str, *, force: bool) -> None:
        """Destroy it; *force* makes one that is not there no error. Raises NoSuchVolume, VolumeInUse."""
        await remove_volume(self._parts, name, force=force)

    async def update(self, name: str) -> None:
        """Refused as Docker does where there is no cluster."""
        _ = name
        raise Unavailable(_NO_CLUSTER)

    async def prune(self, filters: Filters, *, every: bool) -> PruneVolumesReport:
        """Remove the anonymous ones that nobody refers to; with *every* or the filter `all` the named ones too."""
        unknown = filters.keys() - _PRUNE_FIELDS
        if unknown:
            raise InvalidInput(f"invalid filter '{min(unknown)[:64]}'")
        every = every or _truth(filters, "all") is True
        removed: list[str] = []
        freed = 0
        if self._pruning.locked():
            raise Conflict("a prune operation is already running")
        async with self._pruning:
            for volume in self._parts.volumes.all():
                if not (every or volume.anonymous) or volume.driver != LOCAL or not _prunable(volume, filters):
                    continue
                size = await self._size(volume) if not self._parts.volumes.users(volume.name) else 0
                with suppress(Conflict, NotFound):
                    await remove_volume(self._parts, volume.name)
                    removed.append(volume.name)
                    freed += size
        self._parts.events.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return {"VolumesDeleted": removed or None, "SpaceReclaimed": freed}

    async def usage(self) -> Rows:
        """All of this host with their sizes and how many containers refer to them."""
        return [
            {
                **self._shown(one),
                "UsageData": {"Size": await self._size(one), "RefCount": len(self._parts.volumes.users(one.name))},
            }
            for one in self._parts.volumes.all()
        ]

    async def _size(self, volume: Volume) -> int:
        if volume.driver != LOCAL:
            return -1
        try:
            return await in_thread(_measure, self._parts.volumes.path(volume))
        except (OSError, HavreError):
            return -1

    def _passes(self, volume: Volume, filters: Filters, *, dangling: bool | None) -> bool:
        if dangling is not None and dangling == bool(self._parts.volumes.users(volume.name)):
            return False
        names, drivers = filters.get("name"), filters.get("driver")
        if names and not any(value in volume.name for value in names):
            return False
        if drivers and volume.driver not in drivers:
            return False
        return all(_has_label(volume, wanted) for wanted in filters.get("label", ()))

    def _shown(self, volume: Volume) -> WireVolume:
        shown: WireVolume = {
            "CreatedAt": clock.rfc3339(volume.created_ns // _NS * _NS),
            "Driver": volume.driver,
            "Labels": volume.labels,
            "Mountpoint": self._parts.volumes.path(volume),
            "Name": volume.name,
            "Options": volume.options,
            "Scope": "local",
        }
        return shown


def _measure(path: str) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return tree_size(handle)
    finally:
        os.close(handle)


def _truth(filters: Filters, field: str) -> bool | None:
    values = filters.get(field)
    if not values:
        return None
    if values <= _TRUE:
        return True
    if values <= _FALSE:
        return False
    raise InvalidInput(f"invalid filter '{field}=[{' '.join(sorted(values))[:64]}]'")


def _prunable(volume: Volume, filters: Filters) -> bool:
    unwanted = filters.get("label!", ())
    return all(_has_label(volume, wanted) for wanted in filters.get("label", ())) and not any(
        _has_label(volume, label) for label in unwanted
    )


def _has_label(volume: Volume, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    labels = volume.labels or {}
    return key in labels and (not equals or labels[key] == value)
