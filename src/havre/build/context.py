"""The files that a client sends along: received, unpacked into a folder of the build's own, and gone with it."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from havre.base.ids import new_id
from havre.base.tasks import in_thread
from havre.build.model import BuildFailed
from havre.images.images import received
from havre.images.inlet import Inlet
from havre.images.threads import to_the_end
from havre.kernel.inroot import open_parent_in_root, read_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.compression import Decompressed
from havre.snapshots.put_in import PutWishes, put_in
from havre.snapshots.removal import Bin

DEFAULT_DOCKERFILE = "Dockerfile"
_MAX_TEXT_BYTES = 16 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BIN = "trash"
_AT_ONCE = 4  # each holds a thread while its bytes arrive


class Context:
    """The unpacked files, below the handle *root*; every name is resolved inside it. *named* are further contexts."""

    def __init__(self, folder: Path, root: int, named: "dict[str, Context] | None" = None) -> None:
        self.folder = folder
        self.root = root
        self.named = named or {}

    def find(self, path: str, limit: int = _MAX_TEXT_BYTES) -> bytes | None:
        """The content of a regular file, None where there is none. Raises BuildFailed."""
        try:
            return read_in_root(self.root, "/" + path.lstrip("/"), limit)
        except KernelError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                return None
            raise BuildFailed(f"failed to read {path[:256]}: {os.strerror(error.errno or 0)}") from error

    def dockerfile(self, name: str) -> bytes:
        """The Dockerfile *name*; for the default name, lower case is as good. Raises BuildFailed."""
        found = self.find(name)
        if found is None and name == DEFAULT_DOCKERFILE:
            found = self.find(name.lower())
        if found is None:
            raise BuildFailed(f"Cannot locate specified Dockerfile: {name[:256]}")
        return found

    def ignore_file(self, dockerfile: str) -> bytes | None:
        """The patterns of files to leave out: those of this Dockerfile alone go before those of the whole folder."""
        own = self.find(f"{dockerfile}.dockerignore")
        return own if own is not None else self.find(".dockerignore")

    def leave_out(self, path: str) -> None:
        """Remove the file *path*, if it is there."""
        with suppress(KernelError, OSError):
            parent, name = open_parent_in_root(self.root, "/" + path.lstrip("/"))
            try:
                os.unlink(name, dir_fd=parent)
            finally:
                os.close(parent)


class Contexts:
    """The folder where contexts are unpacked; what a dead process left is removed by `sweep`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bin = Bin(root / _BIN)
        self._gate = asyncio.Semaphore(_AT_ONCE)

    def open(self) -> None:
        """Throw away what a dead process left. Blocks."""
        for entry in self._root.iterdir():
            if entry.name != _BIN:
                self._bin.put(entry)
        self._bin.empty()

    def close(self) -> None:
        """Wait until what was thrown away is gone. Blocks."""
        self._bin.close()

    @asynccontextmanager
    async def received(
        self, body: AsyncIterator[bytes], named: Mapping[str, str] | None = None
    ) -> AsyncIterator[Context]:
        """The context whose archive *body* brings, for as long as it is needed. Raises BadArchive, Unavailable.

        *named* tells which folders at the top of the archive are further contexts, by name.
        """
        name = new_id()
        folder = self._root / name
        with ExitStack() as handles:
            try:
                await in_thread(folder.mkdir, 0o755)
                root = os.open(folder, _FOLDER)
                handles.callback(os.close, root)
                async with self._gate:
                    await received(body, lambda inlet: _unpack(inlet, root))
                yield Context(folder, root, self._split(folder, named or {}, handles))
            finally:
                await to_the_end(in_thread(self._remove, name))
                for number in range(len(named or {})):
                    await to_the_end(in_thread(self._remove, f"{name}.{number}"))

    def _split(self, folder: Path, named: Mapping[str, str], handles: ExitStack) -> dict[str, Context]:
        """Move the folders of named contexts out of the main one."""
        found: dict[str, Context] = {}
        for number, (name, place) in enumerate(named.items()):
            beside = folder.with_name(f"{folder.name}.{number}")
            try:
                (folder / _component(place)).rename(beside)
                handle = os.open(beside, _FOLDER)
            except OSError as error:
                raise BuildFailed(f"named context {name[:64]} was not sent: {os.strerror(error.errno or 0)}") from error
            handles.callback(os.close, handle)
            found[name] = Context(beside, handle)
        return found

    def _remove(self, name: str) -> None:
        """Out of the way at once; the files go behind."""
        with suppress(FileNotFoundError):
            self._bin.put(self._root / name)


def _unpack(inlet: Inlet, root: int) -> None:
    put_in(root, "/", Decompressed(inlet), PutWishes(owner=(0, 0)))


def _component(place: str) -> str:
    """One name, which leads nowhere else. Raises BuildFailed."""
    if not place or place in {".", ".."} or "/" in place:
        raise BuildFailed(f"invalid place of a named context: {place[:64]}")
    return place
