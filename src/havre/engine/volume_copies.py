"""What Docker lacks: volumes to archives and back, copies of volumes, other names for them."""

import os
from collections.abc import AsyncIterator

from havre.base.errors import Conflict, InvalidInput, NotSupported
from havre.base.tasks import in_thread
from havre.engine.container_volumes import tell
from havre.engine.parts import Parts
from havre.images.images import received
from havre.images.inlet import Inlet
from havre.kernel.files import syncfs
from havre.kernel.removing import empty_folder
from havre.snapshots.layer import apply_layer
from havre.snapshots.writer import WriteWishes, write_tar
from havre.volumes.model import ANONYMOUS, NameTaken, Volume, Wanted
from havre.volumes.volumes import used

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AS_IT_IS = WriteWishes(root_entry=True, nanoseconds=True)


class VolumeCopies:
    """The verbs that move the content of volumes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def export(self, name: str) -> AsyncIterator[bytes]:
        """The content as a tar archive, owners and attributes included. Raises NoSuchVolume before the first byte."""
        volume = self._plain(name)
        return self._pieces(volume)

    async def take_in(self, name: str, archive: AsyncIterator[bytes]) -> None:
        """Fill a volume, made if need be, from an archive, durably. Raises Conflict where it holds data or is held."""
        volumes = self._parts.volumes
        made = volumes.find(name) is None
        if made:
            await volumes.create(Wanted(name))
            tell(self._parts, "create", name)
        try:
            self._refuse_held(self._plain(name), "import into")
            await self._apply(name, archive)
        except BaseException:
            if made:
                await volumes.remove(name)
                tell(self._parts, "destroy", name)
            raise

    async def clone(self, name: str, to: str) -> None:
        """Copy the volume *name* to a new one, durably. Raises NoSuchVolume, NameTaken, InvalidInput."""
        source = self._plain(name)
        volumes = self._parts.volumes
        self._refuse_taken(to)
        labels = {key: value for key, value in source.labels.items() if key != ANONYMOUS}
        await volumes.create(Wanted(to, labels, source.options))
        try:
            async with used(volumes, name) as content:
                await volumes.fill(to, lambda: os.open(content, _FOLDER))
        except BaseException:
            await volumes.remove(to)
            raise
        tell(self._parts, "create", to)

    async def rename(self, name: str, to: str) -> None:
        """Give the volume another name. Raises NoSuchVolume, NameTaken, and VolumeInUse while a container has it."""
        self._refuse_held(self._parts.volumes.get(name), "rename")
        self._refuse_taken(to)
        await self._parts.volumes.rename(name, to)
        tell(self._parts, "rename", to, oldName=name)

    async def resize(self, name: str, size: str) -> None:
        """Let a volume with a size hold more. Raises NoSuchVolume, InvalidInput, Conflict."""
        await self._parts.volumes.resize(name, size)
        tell(self._parts, "resize", name, size=size)

    def _plain(self, name: str) -> Volume:
        volume = self._parts.volumes.get(name)
        if volume.foreign:
            raise NotSupported(f"volume {name} is a file system of its own ({volume.options}), which is not copied")
        return volume

    def _refuse_held(self, volume: Volume, verb: str) -> None:
        if holders := self._parts.volumes.holders(volume.name):
            raise Conflict(f"cannot {verb} {volume.name}: volume is in use - [{', '.join(sorted(holders))}]")

    def _refuse_taken(self, name: str) -> None:
        if not name:
            raise InvalidInput("a name for the volume is needed")
        if self._parts.volumes.find(name) is not None:
            raise NameTaken(f"a volume named {name} exists already")

    async def _pieces(self, volume: Volume) -> AsyncIterator[bytes]:
        async with used(self._parts.volumes, volume.name) as content:
            handle = await in_thread(os.open, content, _FOLDER)
            try:
                pieces = write_tar(handle, _AS_IT_IS)
                while (piece := await in_thread(next, pieces, b"")) != b"":
                    yield piece
            finally:
                os.close(handle)

    async def _apply(self, name: str, archive: AsyncIterator[bytes]) -> None:
        async with used(self._parts.volumes, name) as content:
            await received(archive, lambda inlet: _unpack(str(content), inlet))


def _unpack(path: str, inlet: Inlet) -> None:
    handle = os.open(path, _FOLDER)
    try:
        with os.scandir(handle) as entries:
            if next(entries, None) is not None:
                raise Conflict("the volume holds data already: import into a new one")
        try:
            apply_layer(inlet, handle, None)
            syncfs(handle)
        except BaseException:
            empty_folder(handle)
            raise
    finally:
        os.close(handle)
