"""The files that a client sends along: received, unpacked into a folder of the build's own, and gone with it."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from havre.base.ids import new_id
from havre.base.tasks import in_own_thread, in_thread, to_the_end
from havre.build.archives import is_archive
from havre.build.dockerfile.remotes import GitSource, remote_of
from havre.build.model import NOTHING_LENT, BuildFailed, Lent
from havre.content.reader import FileReader
from havre.images.images import received
from havre.images.inlet import Inlet
from havre.kernel.inroot import open_in_root, open_parent_in_root, read_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.compression import Decompressed
from havre.snapshots.put_in import PutWishes, put_in
from havre.snapshots.removal import Bin

DEFAULT_DOCKERFILE = "Dockerfile"
REMOTES = ("http://", "https://", "git://", "git@", "ssh://", "github.com/")
"""How contexts begin that the engine fetches itself."""
_MAX_TEXT_BYTES = 16 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_REMOTE = "context"
_HUB = "github.com/"
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
        async with self._new() as context:
            handles = ExitStack()
            try:
                async with self._gate:
                    await received(body, lambda inlet: _unpack(inlet, context.root))
                context.named.update(self._split(context.folder, named or {}, handles))
                yield context
            finally:
                handles.close()
                for number in range(len(named or {})):
                    await to_the_end(in_thread(self._remove, f"{context.folder.name}.{number}"))

    @asynccontextmanager
    async def fetched(
        self, wanted: Mapping[str, str], checksum: str = "", lent: Lent = NOTHING_LENT
    ) -> AsyncIterator[Context]:
        """A context of files from the web: their names, and the addresses that they come from. Raises BuildFailed."""
        from havre.build.remote import fetch

        async with self._new() as context:
            for file, address in wanted.items():
                await in_own_thread(partial(fetch, address, context.folder / file, checksum, lent))
            yield context

    @asynccontextmanager
    async def cloned(
        self, source: GitSource, lent: Lent = NOTHING_LENT, *, keep_git_dir: bool = False
    ) -> AsyncIterator[tuple[Context, str]]:
        """A context of the files of a repository, all of them, and their commit. Raises BuildFailed."""
        from havre.build.git import Clone

        async with self._new() as context:
            clone = Clone(source, context.folder, lent)
            commit = await to_the_end(in_own_thread(clone.make), clone.stop)
            if not keep_git_dir:
                await in_thread(clone.drop_links)
                await in_thread(self._bin.put, context.folder / ".git")
            yield context, commit

    @asynccontextmanager
    async def remote(
        self, address: str, lent: Lent = NOTHING_LENT, *, keep_git_dir: bool = False
    ) -> AsyncIterator[Context]:
        """The context at *address*: a repository, an archive, or a Dockerfile alone. Raises BuildFailed, BadArchive."""
        source = _repository_of(address)
        if source is not None:
            async with self.cloned(source, lent, keep_git_dir=keep_git_dir) as (whole, _):
                with ExitStack() as handles:
                    root = await in_thread(_subfolder, whole.root, source.subdir)
                    handles.callback(os.close, root)
                    yield Context(_path_of(root), root)
            return
        async with self.fetched({_REMOTE: address}, lent=lent) as context, self._new() as unpacked:
            await to_the_end(in_thread(_unpack_remote, context.root, unpacked.root))
            yield unpacked

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Context]:
        """An empty one, gone with all its files at the end."""
        name = new_id()
        folder = self._root / name
        with ExitStack() as handles:
            try:
                await in_thread(folder.mkdir, 0o755)
                root = os.open(folder, _FOLDER)
                handles.callback(os.close, root)
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


def _repository_of(address: str) -> GitSource | None:
    """As in ADD; but `github.com/` alone means a repository, with or without `.git`."""
    if address.startswith(_HUB):
        place, _, fragment = address.partition("#")
        return GitSource.read(f"https://{place}", fragment, "")
    remote = remote_of(address)
    return remote if isinstance(remote, GitSource) else None


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


def _subfolder(root: int, path: str) -> int:
    """A handle on the folder *path*, links resolved inside *root*. Raises BuildFailed."""
    try:
        return open_in_root(root, f"/{path}", os.O_RDONLY | os.O_DIRECTORY)
    except KernelError as error:
        raise BuildFailed(f"stat {path[:256]}: {os.strerror(error.errno or 0).lower()}") from error


def _path_of(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


def _component(place: str) -> str:
    """One name, which leads nowhere else. Raises BuildFailed."""
    if not place or place in {".", ".."} or "/" in place:
        raise BuildFailed(f"invalid place of a named context: {place[:64]}")
    return place
