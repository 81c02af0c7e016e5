"""Cache mounts of RUN: folders that survive builds, each under the digest of its id, which is never a path.

An id of the form `volume:NAME` is a named volume: to be listed, exported, copied and mounted like any other.
"""

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from havre.base import clock
from havre.base.ids import new_id
from havre.base.tasks import in_thread, to_the_end
from havre.build.dockerfile.instructions import Sharing
from havre.kernel.copying import copy_tree
from havre.kernel.removing import remove_tree
from havre.snapshots.walk import tree_size
from havre.volumes.model import Wanted
from havre.volumes.volumes import Volumes, used

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT_MODE = 0o755
VOLUME = "volume:"
_HALF = ".half-"
_USED_XATTR = "trusted.havre.used"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheWish:
    """A cache mount: its *id*, how it is shared, and what a new one looks like."""

    id: str
    sharing: Sharing = Sharing.SHARED
    mode: int = _DEFAULT_MODE
    uid: int = 0
    gid: int = 0


class CacheFolders:
    """All cache mounts of one data root; of one event loop."""

    def __init__(self, root: Path, volumes: Volumes) -> None:
        self._root = root
        self._volumes = volumes
        self._users: dict[str, int] = defaultdict(int)
        self._changed = asyncio.Condition()
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def open(self) -> None:
        """Make the folder; what a dead process had not made whole goes. Blocks."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._root.iterdir():
            if folder.name.startswith(_HALF):
                self._remove(folder.name)

    @asynccontextmanager
    async def used(self, wish: CacheWish, initial: int | None = None) -> AsyncIterator[Path]:
        """The folder to mount, for as long as it is used; a new one begins with what the handle *initial* holds.

        A locked one is waited for; a private one that is in use has a further folder of its own, or is waited for
        where it is a volume. Raises InvalidInput for what cannot be a volume's name.
        """
        volume = wish.id.removeprefix(VOLUME) if wish.id.startswith(VOLUME) else ""
        name = wish.id if volume else hashlib.sha256(wish.id.encode()).hexdigest()
        if wish.sharing is Sharing.LOCKED or (volume and wish.sharing is Sharing.PRIVATE):
            async with self._changed:
                await self._changed.wait_for(lambda: not self._users[name])
                self._users[name] += 1
        elif wish.sharing is Sharing.PRIVATE:
            name = self._free(name)
            self._users[name] += 1
        else:
            self._users[name] += 1
        try:
            if not volume:
                yield await self._whole(name, wish, initial)
                return
            async with self._held(volume, wish) as content:
                yield content
        finally:
            async with self._changed:
                self._users[name] -= 1
                self._changed.notify_all()

    @asynccontextmanager
    async def _held(self, volume: str, wish: CacheWish) -> AsyncIterator[Path]:
        """The content of a named volume, made where it is missing; nobody can remove it meanwhile."""
        holder = new_id()
        _, is_new = await self._volumes.create(Wanted(name=volume))
        self._volumes.hold(volume, holder)
        try:
            async with used(self._volumes, volume) as content:
                if is_new:
                    await in_thread(_own, content, wish)
                yield content
        finally:
            self._volumes.release(volume, holder)

    def kept(self) -> dict[str, tuple[int, int]]:
        """The bytes of each folder by its name, and when it was last used (0 for unknown); blocks."""
        found: dict[str, tuple[int, int]] = {}
        for folder in self._root.iterdir():
            if folder.name.startswith(_HALF):
                continue
            try:
                handle = os.open(folder, _FOLDER)
            except FileNotFoundError:  # removed meanwhile
                continue
            try:
                found[folder.name] = tree_size(handle), _used_ns(handle)
            finally:
                os.close(handle)
        return found

    def is_used(self, name: str) -> bool:
        """Whether a step has it mounted."""
        return bool(self._users.get(name))

    async def remove(self, name: str) -> bool:
        """Remove a folder, unless a step has it mounted: then false."""
        async with self._making.setdefault(name, asyncio.Lock()):
            if self.is_used(name):
                return False
            await to_the_end(in_thread(self._remove, name))
            return True

    def _remove(self, name: str) -> None:
        handle = os.open(self._root, _FOLDER)
        try:
            remove_tree(handle, name)
        finally:
            os.close(handle)

    def _free(self, name: str) -> str:
        number, candidate = 0, name
        while self._users[candidate]:
            number += 1
            candidate = f"{name}.{number}"
        return candidate

    async def _whole(self, name: str, wish: CacheWish, initial: int | None) -> Path:
        """The folder with its first content and its owner; whoever else wants it waits until it has them."""
        async with self._making.setdefault(name, asyncio.Lock()):
            return await to_the_end(in_thread(self._ready, name, wish, initial))

    def _ready(self, name: str, wish: CacheWish, initial: int | None) -> Path:
        folder, half = self._root / name, self._root / f"{_HALF}{name}"
        if not folder.is_dir():
            if half.is_dir():  # it could not be removed when it failed
                self._remove(half.name)
            half.mkdir(mode=0o700)
            try:
                _fill(half, initial)
                _own(half, wish)
                half.rename(folder)
            except BaseException:
                self._remove(half.name)
                raise
        _note_use(folder)
        return folder


def _fill(folder: Path, initial: int | None) -> None:
    if initial is None:
        return
    handle = os.open(folder, _FOLDER)
    try:
        copy_tree(initial, handle)
    finally:
        os.close(handle)


def _note_use(folder: Path) -> None:
    """Beside the folder's own times, which belong to whoever mounts it."""
    with suppress(OSError):
        os.setxattr(folder, _USED_XATTR, str(clock.now_ns()).encode())


def _used_ns(handle: int) -> int:
    try:
        return int(os.getxattr(handle, _USED_XATTR))
    except (OSError, ValueError):
        return 0


def _own(folder: Path, wish: CacheWish) -> None:
    handle = os.open(folder, _FOLDER)
    try:
        os.fchown(handle, wish.uid, wish.gid)
        os.fchmod(handle, wish.mode)
    finally:
        os.close(handle)
