"""The volumes of this host, and who holds them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from havre.base import clock
from havre.base.errors import Conflict
from havre.base.ids import new_id
from havre.base.tasks import in_own_thread, in_thread, to_the_end
from havre.volumes.backing import Backing
from havre.volumes.claims import Claims
from havre.volumes.driver import is_mounted
from havre.volumes.model import (
    LOCAL,
    SIZE,
    NameTaken,
    NoSuchVolume,
    Volume,
    VolumeInUse,
    Wanted,
    parse_name,
    parse_size,
)
from havre.volumes.plugins import NoSuchDriver, Plugins


class Volumes:
    """All verbs on volumes. A *holder* is whoever must not lose it: the id of a container.

    Changes of one volume wait for one another, and for no other volume, whose file server may be dead. One that was
    begun is done to its end, though its caller be cancelled. Looking needs no disk. *plugins* are the drivers beside
    `local`.
    """

    def __init__(self, root: Path, plugins: Plugins | None = None) -> None:
        self.plugins = plugins or Plugins()
        self._backing = Backing(root, self.plugins)
        self._volumes: dict[str, Volume] = {}
        self._holders = Claims()
        self._users = Claims()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self) -> None:
        """Read what is there."""
        self._volumes = {volume.name: volume for volume in await in_thread(self._backing.open)}

    def list(self) -> list[Volume]:
        """Every volume, by name."""
        return [self._volumes[name] for name in sorted(self._volumes)]

    def get(self, name: str) -> Volume:
        """One volume. Raises NoSuchVolume."""
        try:
            return self._volumes[name]
        except KeyError:
            raise NoSuchVolume(f"get {name}: no such volume") from None

    def find(self, name: str) -> Volume | None:
        """One volume, if it is there."""
        return self._volumes.get(name)

    def path(self, name: str) -> Path:
        """Where the content of a volume is, or would be."""
        return self._backing.path(name)

    async def create(self, wanted: Wanted) -> tuple[Volume, bool]:
        """The volume that is *wanted*, and whether it is new.

        Raises InvalidInput, NameTaken for another driver or other options, NoSuchDriver, InternalError.
        """
        parse_name(wanted.name)
        async with self._lock(wanted.name):
            there = self._volumes.get(wanted.name)
            if there is not None:
                _check_same(there, wanted)
                return there, False
            made = Volume(
                name=wanted.name,
                created_ns=clock.now_ns(),
                labels=wanted.labels,
                options=wanted.options,
                driver=wanted.driver or LOCAL,
            )
            try:
                await to_the_end(self._add(made))
            except NoSuchDriver as missing:
                raise NoSuchDriver(f"create {made.name}: {missing.message}") from None
            except asyncio.CancelledError:
                if made.name in self._volumes:  # whoever is told nothing keeps nothing
                    await to_the_end(self._drop(made))
                raise
            return made, True

    async def remove(self, name: str, *, force: bool = False) -> Volume:
        """Let a volume go with its content, with *force* also one whose driver refuses or is not there any more.

        Raises NoSuchVolume, VolumeInUse, InternalError.
        """
        async with self._lock(name):
            volume = self.get(name)
            self._refuse_used(volume, "remove")
            await to_the_end(self._drop(volume, force=force))
            return volume

    async def rename(self, name: str, to: str) -> None:
        """Give it another name. Raises NoSuchVolume, NameTaken, InvalidInput, VolumeInUse."""
        parse_name(to)
        async with AsyncExitStack() as locks:
            for each in sorted({name, to}):
                await locks.enter_async_context(self._lock(each))
            volume = self.get(name)
            if to in self._volumes:
                raise NameTaken(f"a volume named {to} exists already")
            if volume.driver != LOCAL:
                raise Conflict(f"rename {name}: the driver {volume.driver} knows it by its name")
            self._refuse_used(volume, "rename")
            await to_the_end(self._move(volume, to))

    async def fill(self, name: str, open_source: Callable[[], int | None]) -> None:
        """Copy the tree that *open_source* opens into the volume, if that is empty and nobody uses it.

        *open_source* is called in a thread; None for a tree that is not there. Its handle is closed here.
        """
        async with self._lock(name):
            volume = self.get(name)
            if not volume.foreign and not self._users.of(name):
                await to_the_end(in_thread(self._backing.fill, volume, open_source))

    async def resize(self, name: str, size: str) -> Volume:
        """Let a volume with a size hold more.

        Raises NoSuchVolume, InvalidInput, InternalError, Conflict for less, or where the host grows unused ones only.
        """
        size_bytes = parse_size(name, size)
        async with self._lock(name):
            volume = self.get(name)
            if not volume.limit_bytes:
                raise Conflict(f"volume {name} was made without a size")
            if size_bytes < volume.limit_bytes:
                raise Conflict(f"volume {name} has {volume.options[SIZE]}, and cannot shrink to {size}")
            return await to_the_end(self._grow(volume, size))

    def hold(self, name: str, holder: str) -> None:
        """Keep the volume from going."""
        self._holders.add(name, holder)

    def release(self, name: str, holder: str) -> None:
        """The opposite of `hold`."""
        self._holders.discard(name, holder)

    def holders(self, name: str) -> frozenset[str]:
        """Who holds it."""
        return self._holders.of(name)

    async def mount(self, name: str, user: str) -> None:
        """Make its content accessible for *user*. Raises NoSuchVolume, InternalError when it cannot be mounted."""
        async with self._lock(name):
            volume = self.get(name)
            if volume.mounts:
                try:
                    await _done(volume, self._backing.mount)
                except asyncio.CancelledError:
                    if not self._users.of(name):
                        await _done(volume, self._backing.unmount)
                    raise
            self._users.add(name, user)

    async def unmount(self, name: str, user: str) -> None:
        """*user* needs its content no more; the last one takes it off, and who is no user changes nothing."""
        async with self._lock(name):
            is_last = self._users.discard(name, user)
            volume = self._volumes.get(name)
            if is_last and volume is not None and volume.mounts:
                await _done(volume, self._backing.unmount)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _refuse_used(self, volume: Volume, verb: str) -> None:
        name = volume.name
        if holders := self._holders.of(name):
            raise VolumeInUse(f"{verb} {name}: volume is in use - [{', '.join(sorted(holders))}]")
        if self._users.of(name):
            raise VolumeInUse(f"{verb} {name}: volume is in use: its content is being copied")

    async def _add(self, volume: Volume) -> None:
        await in_thread(self._backing.make, volume)
        self._volumes[volume.name] = volume

    async def _drop(self, volume: Volume, *, force: bool = False) -> None:
        await in_thread(self._backing.remove, volume, force=force)
        del self._volumes[volume.name]

    async def _move(self, volume: Volume, to: str) -> None:
        self._volumes[to] = await in_thread(self._backing.rename, volume, to)
        del self._volumes[volume.name]

    async def _grow(self, volume: Volume, size: str) -> Volume:
        grown = await in_thread(self._backing.grow, volume, size)
        self._volumes[volume.name] = grown
        return grown


async def _done(volume: Volume, work: Callable[[Volume], None]) -> None:
    """Do *work* in a thread, to its end: one of its own where a file server or a plugin may let it wait."""
    await to_the_end(in_own_thread(lambda: work(volume)) if volume.foreign else in_thread(work, volume))


def _check_same(there: Volume, wanted: Wanted) -> None:
    if wanted.driver not in {"", there.driver}:
        raise NameTaken(f"volume {there.name} exists with the driver {there.driver}")
    if wanted.options and wanted.options != there.options:
        raise NameTaken(f"volume {there.name} exists with other options: {there.options}")


@asynccontextmanager
async def used(volumes: Volumes, name: str) -> AsyncIterator[Path]:
    """Where the content of a volume is, mounted while inside. Raises NoSuchVolume, InternalError."""
    user = new_id()
    await volumes.mount(name, user)
    try:
        yield volumes.path(name)
    finally:
        await volumes.unmount(name, user)


async def unmount_unused(volumes: Volumes) -> None:
    """Take off what an engine that died had mounted for itself; to be called once all users are known again."""
    for volume in volumes.list():
        if volume.mounts and await in_thread(is_mounted, volumes.path(volume.name)):
            async with used(volumes, volume.name):
                pass  # its end takes the mount off, unless somebody else uses it
