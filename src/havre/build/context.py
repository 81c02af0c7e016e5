"""The files that a client sends along: received, unpacked into a folder of the build's own, and gone with it."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from havre.base.ids import new_id
from havre.base.tasks import in_own_thread, in_thread
from havre.build.archives import FileReader, is_archive
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
_REMOTE = "context"
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

    @asynccontextmanager
    async def fetched(self, wanted: Mapping[str, str], checksum: str = "") -> AsyncIterator[Context]:
        """A context of files from the web: their names, and the addresses that they come from. Raises BuildFailed."""
        name = new_id()
        folder = self._root / name
        with ExitStack() as handles:
            try:
                await in_thread(folder.mkdir, 0o755)
                root = os.open(folder, _FOLDER)
                handles.callback(os.close, root)
                from havre.build.remote import fetch

                for file, address in wanted.items():
                    await in_own_thread(partial(fetch, address, folder, file, checksum))
                yield Context(folder, root)
            finally:
                await to_the_end(in_thread(self._remove, name))

    @asynccontextmanager
    async def remote(self, address: str) -> AsyncIterator[Context]:
        """The context at *address*: an archive, or a Dockerfile alone. Raises BuildFailed, BadArchive."""
        from havre.build.remote import is_git

        if is_git(address):
            raise BuildFailed(f"unable to prepare context: clone {address[:256]} yourself: the engine runs no git")
        async with self.fetched({_REMOTE: address}) as context:
            name = new_id()
            folder = self._root / name
            with ExitStack() as handles:
                try:
                    await in_thread(folder.mkdir, 0o755)
                    root = os.open(folder, _FOLDER)
                    handles.callback(os.close, root)
                    await to_the_end(in_thread(_unpack_remote, context.root, root))
                    yield Context(folder, root)
                finally:
                    await to_the_end(in_thread(self._remove, name))

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


def _unpack_remote(source: int, root: int) -> None:
    """An archive by its contents; anything else is a Dockerfile."""
    handle = os.open(_REMOTE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        if is_archive(handle):
            os.lseek(handle, 0, os.SEEK_SET)
            put_in(root, "/", Decompressed(FileReader(handle)), PutWishes(owner=(0, 0)))
        else:
            os.link(_REMOTE, DEFAULT_DOCKERFILE, src_dir_fd=source, dst_dir_fd=root)
    finally:
        os.close(handle)


def _component(place: str) -> str:
    """One name, which leads nowhere else. Raises BuildFailed."""
    if not place or place in {".", ".."} or "/" in place:
        raise BuildFailed(f"invalid place of a named context: {place[:64]}")
    return place
