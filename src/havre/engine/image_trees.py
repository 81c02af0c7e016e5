"""The files of an image as one archive, without a container: what `havre build -o` writes."""

from collections.abc import AsyncIterator
from contextlib import suppress

from havre.base.ids import new_id
from havre.base.tasks import in_thread, to_the_end
from havre.engine.parts import Parts
from havre.images.model import Image
from havre.snapshots.writer import write_tar


class ImageTrees:
    """Images as plain file trees."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def tree(self, ref: str) -> AsyncIterator[bytes]:
        """The archive of all files of an image. Raises NoSuchImage before the first byte."""
        return self._pieces(self._parts.images.find(ref))

    async def _pieces(self, image: Image) -> AsyncIterator[bytes]:
        snapshots, key = self._parts.snapshots, new_id()
        await in_thread(snapshots.prepare, key, image.chain)
        try:
            mounted = snapshots.mounted(key)
            root = await in_thread(mounted.__enter__)
            try:
                pieces = write_tar(root)
                while (piece := await to_the_end(in_thread(next, pieces, b""))) != b"":
                    yield piece
            finally:
                with suppress(OSError):
                    await to_the_end(in_thread(mounted.__exit__, None, None, None))
        finally:
            await to_the_end(in_thread(snapshots.discard, key))
