"""The files of a container: what changed, the whole tree as an archive, and copies in and out."""

import asyncio
import errno
import os
import posixpath
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final, TypeVar

import msgspec

from havre.base.errors import Conflict, HavreError, InternalError, InvalidInput, NotFound
from havre.base.tasks import in_own_thread, to_the_end
from havre.engine.file_view import ViewPlan, running_root, with_view
from havre.engine.lifecycle import State
from havre.engine.model import ImageMount, Record, TmpfsMount
from havre.engine.outlet import Outlet
from havre.engine.parts import Parts
from havre.engine.placeholders import is_placeholder
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.steps import passed
from havre.images.inlet import Inlet, begun
from havre.kernel.inroot import open_in_root, read_in_root
from havre.kernel.libc import KernelError
from havre.runtime.errors import BadUser
from havre.runtime.init.users import FILE_LIMIT, identify
from havre.snapshots.changes import ChangeKind, changes
from havre.snapshots.compression import Decompressed
from havre.snapshots.contract import View
from havre.snapshots.path_stat import PathStat, absolute, stat_path
from havre.snapshots.put_in import PutWishes, put_in
from havre.snapshots.take_out import expand, take_out_all
from havre.snapshots.writer import write_tar
from havre.wire.containers import FilesystemChange

_T = TypeVar("_T")
_KINDS: Final = {ChangeKind.MODIFIED: 0, ChangeKind.ADDED: 1, ChangeKind.DELETED: 2}
_ABSENT: Final = frozenset({errno.ENOENT, errno.ELOOP})


class NoSuchPath(NotFound):
    """The container has nothing at this path."""


class Files:
    """The verbs on a container's files. *ref* is a name, an id or the beginning of one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def changes(self, ref: str) -> bytes:
        """What differs from the image, as JSON; by path."""
        container = self._parts.roster.get(ref)
        found = await in_own_thread(partial(self._changes, container.id))
        return msgspec.json.encode(found or None)

    async def export(self, ref: str) -> AsyncIterator[bytes]:
        """The archive of the whole tree, without what is mounted in it. Raises Conflict."""
        container = self._parts.roster.get(ref)
        _check_there(container, "export")
        self._parts.tell(container, "export")
        return _pumped(partial(self._export, self._plan(container, kept=False)))

    async def stat(self, ref: str, path: str) -> PathStat:
        """What stands at *path*. Raises NoSuchPath."""
        container = self._parts.roster.get(ref)
        plan = self._plan(container, kept=False)
        return await in_own_thread(_translating(ref, path, partial(with_view, plan, _stat(path))))

    async def take(self, ref: str, path: str, *, glob: bool = False) -> tuple[PathStat, AsyncIterator[bytes]]:
        """What stands at *path*, and the archive of it with all below. Raises NoSuchPath before anything is sent.

        With *glob* the path is a pattern, the archive that of all it means, and the first of them is told of.
        """
        container = self._parts.roster.get(ref)
        plan = self._plan(container, kept=False)
        loop = asyncio.get_running_loop()
        told: asyncio.Future[PathStat] = loop.create_future()

        def tell(status: PathStat) -> None:
            if not told.done():
                told.set_result(status)

        def send(outlet: Outlet, root: int) -> None:
            paths = expand(root, path) if glob else [absolute(path)]
            if not paths:
                raise NoSuchPath(f"Could not find the file {path} in container {ref}")
            loop.call_soon_threadsafe(tell, stat_path(root, paths[0]))
            for piece in take_out_all(root, paths):
                outlet.put(piece)
                passed("take.begun")

        stream = _pumped(lambda outlet: with_view(plan, partial(send, outlet)), partial(_meaning, ref, path))
        first = await anext(stream)
        self._parts.tell(container, "archive-path")
        return await told, _with_first(first, stream)

    async def put(self, ref: str, path: str, body: AsyncIterator[bytes], *, same_kind: bool, own: bool) -> None:
        """Extract the archive *body*, packed or not, into the folder *path*.

        With *own* everything belongs to the container's user. Raises NoSuchPath, InvalidInput, WrongKind.
        """
        container = self._parts.roster.get(ref)
        _check_writable(container.record, absolute(path))
        body = await begun(body)
        if container.record.alive:
            await self._put(container, ref, path, body, same_kind=same_kind, own=own)
        else:
            async with container.lock:  # nobody else may have the tree mounted while it is written
                if container.gone:
                    raise NoSuchContainer(f"No such container: {ref}")
                await self._put(container, ref, path, body, same_kind=same_kind, own=own)
        self._parts.tell(container, "extract-to-dir")

    async def _put(
        self, container: Container, ref: str, path: str, body: AsyncIterator[bytes], *, same_kind: bool, own: bool
    ) -> None:
        plan = self._plan(container, kept=True)
        inlet = Inlet()
        user = container.record.config.user if own else ""

        def extract(root: int) -> None:
            where = absolute(path)
            _check_folder(root, where)
            owner = _owner(root, user) if user else None
            passed("put.begun")
            put_in(root, where, Decompressed(inlet), PutWishes(same_kind=same_kind, owner=owner))
            passed("put.extracted")

        feeder = asyncio.get_running_loop().create_task(inlet.feed(body))
        try:
            work = _translating(ref, path, partial(with_view, plan, extract))
            await to_the_end(in_own_thread(work), inlet.close)
        finally:
            inlet.close()
            feeder.cancel()
            await asyncio.wait({feeder})

    def _plan(self, container: Container, *, kept: bool) -> ViewPlan:
        parts, record = self._parts, container.record
        return ViewPlan(
            record=record,
            root_mounts=parts.snapshots.mounts(record.id),
            target=parts.snapshots.target(record.id),
            upper=parts.snapshots.diff_path(record.id),
            files=parts.folders.container(record.id),
            kept=kept,
            pid=record.pid if record.alive else 0,
        )

    def _changes(self, key: str) -> list[FilesystemChange]:
        snapshots = self._parts.snapshots
        with snapshots.mounted(key, View.OWN) as own, snapshots.mounted(key, View.BELOW) as below:
            return [
                {"Path": change.path.decode(errors="replace"), "Kind": _KINDS[change.kind]}
                for change in changes(own, below, is_placeholder)
            ]

    def _export(self, plan: ViewPlan, outlet: Outlet) -> None:
        with ExitStack() as handles:
            for piece in write_tar(self._bare_root(plan, handles)):
                outlet.put(piece)

    def _bare_root(self, plan: ViewPlan, handles: ExitStack) -> int:
        if plan.pid:
            with suppress(Conflict):  # it has ended just now
                return handles.enter_context(running_root(plan))
        return handles.enter_context(self._parts.snapshots.mounted(plan.record.id, View.WHOLE))


async def _pumped(
    work: Callable[[Outlet], None], meaning: Callable[[OSError], HavreError] | None = None
) -> AsyncIterator[bytes]:
    """What *work* puts out in a thread of its own; it ends with its reader."""
    outlet = Outlet()

    def run() -> None:
        try:
            work(outlet)
        except OSError as failed:
            raise (meaning or _internal)(failed) from failed
        finally:
            outlet.end()

    task = asyncio.get_running_loop().create_task(in_own_thread(run))
    try:
        async for piece in outlet:
            yield piece
        await task
    finally:
        outlet.close()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: whoever reads to the end was told above


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _stat(path: str) -> Callable[[int], PathStat]:
    return lambda root: stat_path(root, absolute(path))


def _translating(ref: str, path: str, work: Callable[[], _T]) -> Callable[[], _T]:
    def run() -> _T:
        try:
            return work()
        except OSError as failed:
            raise _meaning(ref, path, failed) from failed

    return run


def _meaning(ref: str, path: str, failed: OSError) -> HavreError:
    if failed.errno in _ABSENT and isinstance(failed, KernelError):
        return NoSuchPath(f"Could not find the file {path} in container {ref}")
    if failed.errno == errno.ENOTDIR:
        return InternalError(f"lstat {path}: not a directory")
    return _internal(failed)


def _internal(failed: OSError) -> HavreError:
    return InternalError((os.strerror(failed.errno) if failed.errno else str(failed)).lower())


def _check_there(container: Container, verb: str) -> None:
    if container.record.state is State.DEAD:
        raise Conflict(f"You cannot {verb} container {container.id} which is Dead")
    if container.record.state is State.REMOVING:
        raise Conflict(f"You cannot {verb} container {container.id} which is being removed")


def _check_writable(record: Record, path: str) -> None:
    """Raises InvalidInput in Docker's words."""
    mounts = [entry for entry in record.mounts if record.alive or not isinstance(entry, TmpfsMount)]
    for entry in sorted(mounts, key=lambda one: -len(one.destination)):
        destination = posixpath.normpath(entry.destination)
        if path == destination or path.startswith(destination.rstrip("/") + "/"):
            if isinstance(entry, ImageMount) or not entry.writable:
                raise InvalidInput("mounted volume is marked read-only")
            return
    if record.host.readonly_rootfs:
        raise InvalidInput("container rootfs is marked read-only")


def _check_folder(root: int, path: str) -> None:
    try:
        os.close(open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except KernelError as failed:
        if failed.errno == errno.ENOTDIR:
            raise InvalidInput("extraction point is not a directory") from None
        raise


def _owner(root: int, user: str) -> tuple[int, int]:
    """The numbers of the container's user, by the files of its own root. Raises InvalidInput."""
    try:
        found = identify(user, [], _read(root, "/etc/passwd"), _read(root, "/etc/group"))
    except BadUser as unknown:
        raise InvalidInput(str(unknown)) from None
    return found.uid, found.gid


def _read(root: int, path: str) -> bytes:
    try:
        return read_in_root(root, path, FILE_LIMIT)
    except KernelError:
        return b""
