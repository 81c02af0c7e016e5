"""All volumes of this engine, by name: who has them, who refers to them, who uses them now.

A *user* is whatever may refer to a volume: a text of the caller's. As long as one is known, the volume is not removed.
Users and mounts live in memory: at start the caller tells them anew from its own records, then calls `settle`.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary

from havre.base import clock
from havre.base.errors import HavreError, NotFound
from havre.base.ids import new_id
from havre.base.tasks import in_thread
from havre.volumes.local import Local, check_options, needs_mount, unmount_data
from havre.volumes.model import (
    ANONYMOUS_LABEL,
    LOCAL,
    NameTaken,
    NoSuchVolume,
    Volume,
    VolumeInUse,
    check_name,
)
from havre.volumes.store import Store

_log = logging.getLogger(__name__)


class Driver(Protocol):
    """What keeps the data of some volumes."""

    async def prepare(self, volume: Volume) -> None:
        """Make it. Nothing is kept when it raises."""

    def path(self, volume: Volume) -> str:
        """Where its data is; empty when that is only known once it is mounted."""

    async def mount(self, volume: Volume, who: str) -> str:
        """Make its data reachable for one more user; the path."""

    async def unmount(self, volume: Volume, who: str) -> None:
        """One user less."""

    async def remove(self, volume: Volume) -> None:
        """Destroy it."""


class Drivers(Protocol):
    """Where drivers other than `local` come from."""

    async def get(self, name: str) -> Driver:
        """Raises NotFound for a driver that nobody offers."""


class Volumes:
    """The volumes. Verbs on one name follow each other."""

    def __init__(self, store: Store, drivers: Drivers) -> None:
        self._store = store
        self._drivers = drivers
        self._local = Local(store)
        self._volumes: dict[str, Volume] = {}
        self._users: defaultdict[str, set[str]] = defaultdict(set)
        self._mounted: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self) -> None:
        """Know what is on the disk."""
        for volume in await in_thread(self._store.load):
            self._volumes[volume.name] = volume

    def all(self) -> list[Volume]:
        """Every volume, by name."""
        return sorted(self._volumes.values(), key=lambda one: one.name)

    def get(self, name: str) -> Volume:
        """Raises NoSuchVolume."""
        try:
            return self._volumes[name]
        except KeyError:
            raise NoSuchVolume(f"get {name}: no such volume") from None

    def path(self, volume: Volume) -> str:
        """Where its data is; empty for a driver that tells only once it is mounted."""
        if volume.driver == LOCAL:
            return self._local.path(volume)
        return next(iter(self._mounted[volume.name].values()), "")

    def users(self, name: str) -> list[str]:
        """Who refers to it."""
        return sorted(self._users.get(name, ()))

    async def create(
        self,
        name: str = "",
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        user: str = "",
    ) -> tuple[Volume, bool]:
        """The volume *name*, made if it is not there (second of the pair), durably; *user* refers to it from now on.

        Raises InvalidInput, NotFound for an unknown driver, NameTaken when another driver has the name.
        """
        if not name:
            name, labels = new_id(), {**(labels or {}), ANONYMOUS_LABEL: ""}
        async with self._alone(name):
            known = self._volumes.get(name)
            if known is not None:
                self._check_driver(known, driver)
            volume = known or await self._make(name, driver or LOCAL, options, labels)
            if user:
                self._users[name].add(user)
            return volume, known is None

    async def remove(self, name: str, *, force: bool = False) -> Volume | None:
        """Destroy it; None when there was none and *force*. Raises NoSuchVolume, VolumeInUse."""
        async with self._alone(name):
            volume = self._volumes.get(name)
            if volume is None:
                if force:
                    return None
                raise NoSuchVolume(f"get {name}: no such volume")
            if users := self.users(name):
                raise VolumeInUse(f"remove {name}: volume is in use - [{', '.join(users)}]")
            try:
                await (await self._driver(volume.driver)).remove(volume)
            except HavreError:
                if not force or volume.driver == LOCAL:
                    raise
                _log.warning("volume %s is forgotten, though its driver %s failed", name, volume.driver, exc_info=True)
            await in_thread(self._store.remove, name)
            del self._volumes[name]
            self._users.pop(name, None)
            self._mounted.pop(name, None)
            return volume

    def claim(self, name: str, user: str) -> None:
        """*user* refers to the volume, whether or not that is there."""
        self._users[name].add(user)

    def release(self, name: str, user: str) -> None:
        """*user* does not refer to it any more."""
        self._users[name].discard(user)
        if not self._users[name]:
            del self._users[name]

    async def mount(self, name: str, user: str) -> str:
        """Make its data reachable for *user*; the path. Raises NoSuchVolume and what the driver raises."""
        async with self._alone(name):
            volume = self.get(name)
            path = await (await self._driver(volume.driver)).mount(volume, user)
            self._mounted[name][user] = path
            return path

    async def unmount(self, name: str, user: str) -> bool:
        """*user* does not need the data now; the last one takes it down. False when *user* had not mounted it."""
        async with self._alone(name):
            if self._mounted[name].pop(user, None) is None or name not in self._volumes:
                return False
            volume = self._volumes[name]
            if volume.driver != LOCAL or not self._mounted[name]:
                await (await self._driver(volume.driver)).unmount(volume, user)
            return True

    def mounted(self, name: str, user: str) -> None:
        """*user* has the volume mounted since before this process."""
        if (volume := self._volumes.get(name)) is not None:
            self._mounted[name][user] = self._local.path(volume) if volume.driver == LOCAL else ""

    async def settle(self) -> None:
        """At start, once users are known: what is mounted for nobody is taken down."""
        for volume in self.all():
            if volume.driver == LOCAL and needs_mount(volume) and not self._mounted[volume.name]:
                await in_thread(unmount_data, self._store.data(volume.name))

    async def save(self, volume: Volume) -> None:
        """Write a changed record down."""
        await in_thread(self._store.save, volume)
        self._volumes[volume.name] = volume

    @asynccontextmanager
    async def idle(self, name: str) -> AsyncIterator[Volume]:
        """The volume for a verb of its own, while nobody makes, mounts or removes it. Raises NoSuchVolume."""
        async with self._alone(name):
            yield self.get(name)

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield

    async def _make(
        self, name: str, driver: str, options: Mapping[str, str] | None, labels: Mapping[str, str] | None
    ) -> Volume:
        volume = Volume(
            name=name,
            driver=driver,
            created_ns=clock.now_ns(),
            labels=None if labels is None else dict(labels),
            options=None if options is None else dict(options),
        )
        if driver == LOCAL:
            check_name(name)
            check_options(name, options or {})
        try:
            keeper = await self._driver(driver)
        except NotFound as unknown:
            raise NotFound(f"create {name}: {unknown.message}") from None
        await in_thread(self._store.add, volume)
        try:
            await keeper.prepare(volume)
        except BaseException:
            self._store.remove(name)
            raise
        self._volumes[name] = volume
        return volume

    def _check_driver(self, known: Volume, driver: str) -> None:
        if driver and driver != known.driver:
            raise NameTaken(
                f"create {known.name}: conflict: a volume with this name already exists "
                f"with driver {known.driver}; choose a different volume name"
            )

    async def _driver(self, name: str) -> Driver:
        return self._local if name == LOCAL else await self._drivers.get(name)
