"""Volumes as the Engine API shows them."""

import logging
import os
from typing import Final, TypeAlias

from havre.base import clock
from havre.base.errors import HavreError, InvalidInput
from havre.base.ids import new_id
from havre.base.tasks import in_thread
from havre.engine.container_volumes import tell
from havre.engine.parts import Parts
from havre.snapshots.walk import tree_size
from havre.volumes.image import taken_bytes
from havre.volumes.model import ANONYMOUS, LOCAL, NoSuchVolume, Volume, VolumeInUse, Wanted
from havre.wire.filters import Filters
from havre.wire.volumes import CreateVolume, PruneVolumesReport, VolumeList
from havre.wire.volumes import Volume as WireVolume

Rows: TypeAlias = list[WireVolume]
_log = logging.getLogger(__name__)
_FIELDS: Final = frozenset(["dangling", "driver", "label", "name"])
_PRUNE_FIELDS: Final = frozenset(["label", "label!", "all"])
_TRUE: Final = frozenset(["1", "true", "True", "t", "T", "TRUE"])
_FALSE: Final = frozenset(["0", "false", "False", "f", "F", "FALSE"])


class VolumeService:
    """The verbs on volumes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list(self, filters: Filters) -> VolumeList:
        """The volumes that pass *filters*. Raises InvalidInput."""
        _check_fields(filters, _FIELDS)
        dangling = _flag(filters, "dangling")
        found = [volume for volume in self._parts.volumes.list() if self._passes(volume, filters, dangling)]
        return {"Volumes": [self._shown(volume) for volume in found], "Warnings": None}

    async def inspect(self, name: str) -> WireVolume:
        """One volume, as its driver tells it. Raises NoSuchVolume, InternalError."""
        volume, plugins = self._parts.volumes.get(name), self._parts.volumes.plugins
        shown = self._shown(volume)
        if volume.driver != LOCAL:
            known = await in_thread(lambda: plugins.driver(volume.driver).get(name))
            shown["Mountpoint"] = known.mountpoint
            if known.status:
                shown["Status"] = known.status
        return shown

    async def create(self, wanted: CreateVolume) -> WireVolume:
        """Make it if it is not there. Raises InvalidInput, NameTaken, NoSuchDriver."""
        name, labels = wanted.get("Name") or "", wanted.get("Labels") or {}
        if not name:
            name, labels = new_id(), {**labels, ANONYMOUS: ""}
        asked = Wanted(name, labels, wanted.get("DriverOpts") or {}, wanted.get("Driver") or "")
        volume, fresh = await self._parts.volumes.create(asked)
        if fresh:
            tell(self._parts, "create", volume)
        return self._shown(volume)

    async def remove(self, name: str, *, force: bool) -> None:
        """Let it go. Raises NoSuchVolume unless *force*, VolumeInUse, and what its driver says unless *force*."""
        try:
            volume = await self._parts.volumes.remove(name, force=force)
        except NoSuchVolume:
            if force:
                return
            raise
        tell(self._parts, "destroy", volume)

    async def prune(self, filters: Filters) -> PruneVolumesReport:
        """Remove those that nobody holds: the anonymous ones, or with the filter `all` every one."""
        _check_fields(filters, _PRUNE_FIELDS)
        every = _flag(filters, "all")
        deleted: list[str] = []
        reclaimed = 0
        for volume in self._parts.volumes.list():
            if not (every or volume.anonymous) or not _labels_pass(volume, filters):
                continue
            size = await self._size(volume)
            try:
                await self.remove(volume.name, force=False)
            except (VolumeInUse, NoSuchVolume):
                continue
            except (HavreError, OSError) as failed:
                _log.error("volume %s cannot be pruned: %s", volume.name, failed)
                continue
            deleted.append(volume.name)
            reclaimed += size
        self._parts.events.publish("volume", "prune", "", {"reclaimed": str(reclaimed)})
        return {"VolumesDeleted": deleted or None, "SpaceReclaimed": reclaimed}

    async def usage(self) -> Rows:
        """Every volume with what it takes and how many containers hold it."""
        rows: Rows = []
        for volume in self._parts.volumes.list():
            holders = len(self._parts.volumes.holders(volume.name))
            size = await self._size(volume)
            rows.append({**self._shown(volume), "UsageData": {"Size": size, "RefCount": holders}})
        return rows

    async def _size(self, volume: Volume) -> int:
        if volume.foreign:
            return 0
        path = self._parts.volumes.path(volume.name)
        if volume.limit_bytes:
            return await in_thread(taken_bytes, path)
        return await in_thread(_measure, str(path))

    def _passes(self, volume: Volume, filters: Filters, dangling: bool | None) -> bool:  # noqa: FBT001  three values
        if dangling is not None and dangling is bool(self._parts.volumes.holders(volume.name)):
            return False
        if (drivers := filters.get("driver")) and volume.driver not in drivers:
            return False
        if (names := filters.get("name")) and not any(name in volume.name for name in names):
            return False
        return _labels_pass(volume, filters)

    def _shown(self, volume: Volume) -> WireVolume:
        return {
            "CreatedAt": clock.rfc3339(volume.created_ns // 10**9 * 10**9),
            "Driver": volume.driver,
            "Labels": volume.labels or None,
            "Mountpoint": str(self._parts.volumes.path(volume.name)),
            "Name": volume.name,
            "Options": volume.options or None,
            "Scope": "local",
        }


def _measure(path: str) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        return tree_size(handle)
    finally:
        os.close(handle)


def _check_fields(filters: Filters, known: frozenset[str]) -> None:
    unknown = filters.keys() - known
    if unknown:
        raise InvalidInput(f"invalid filter '{min(unknown)[:64]}'")


def _flag(filters: Filters, field: str) -> bool | None:
    values = filters.get(field)
    if not values:
        return None
    if values <= _TRUE:
        return True
    if values <= _FALSE:
        return False
    raise InvalidInput(f"invalid filter '{field}={sorted(values)}'")


def _labels_pass(volume: Volume, filters: Filters) -> bool:
    wanted = all(_has_label(volume, value) for value in filters.get("label", ()))
    return wanted and not any(_has_label(volume, value) for value in filters.get("label!", ()))


def _has_label(volume: Volume, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in volume.labels and (not equals or volume.labels[key] == value)
