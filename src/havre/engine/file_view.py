"""A container's files as `docker cp` sees them: its root with its mounts, running or not, in a view of their own.

The view is a mount namespace that only one thread is in. Of a running container it holds a copy of the very mount that
the container's root is, so that both see one file system; of any other, an overlay of its own. No program of the
container runs, none of its files is loaded: every path is resolved by handle inside the root (security.md, rule 9).
"""

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from havre.base.errors import Conflict, InvalidInput
from havre.engine.model import ImageMount, Record, ResolvedMount, TmpfsMount
from havre.engine.mount_sources import source_tree
from havre.engine.own_files import FILES
from havre.kernel.inroot import make_file_in_root, make_folders_in_root, open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.mounts import (
    AT_FDCWD,
    OPEN_TREE_CLONE,
    MountAttr,
    MountFlag,
    mount,
    mount_setattr,
    move_mount,
    open_tree,
)
from havre.kernel.overlay_options import named_options
from havre.kernel.private_mounts import enter_private_mounts, visit_mounts_of
from havre.oci.runtime_spec import Mount

_T = TypeVar("_T")
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_AT_EMPTY_PATH = 0x1000
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENOTDIR, errno.EINVAL, errno.ELOOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPlan:
    """What a view is made of: *root_mounts* at the folder *target*; with *pid* the root of that process instead.

    *files* is the folder with the engine's own files for the container. *kept*: what is written into the root stays;
    otherwise it is forgotten with the view.
    """

    record: Record
    root_mounts: tuple[Mount, ...]
    target: Path
    upper: Path
    files: Path
    kept: bool
    pid: int = 0


def with_view(plan: ViewPlan, work: Callable[[int], _T]) -> _T:
    """What *work* gives, called with a handle on the root of the view; only in a thread of `in_own_thread`.

    Raises Conflict, KernelError.
    """
    enter_private_mounts()
    with _view(plan) as root:
        return work(root)


@contextmanager
def running_root(plan: ViewPlan) -> Iterator[int]:
    """The root of a container that runs, without what is mounted in it: a copy of the very mount that it has.

    Only in a thread of `in_own_thread`. Raises Conflict when it does not run any more.
    """
    enter_private_mounts()
    process = _open_process(plan)
    try:
        top = visit_mounts_of(process, lambda: open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE))
    finally:
        os.close(process)
    try:
        root = os.open(".", _ROOT, dir_fd=top)
        try:
            yield root
        finally:
            os.close(root)
    finally:
        os.close(top)


@contextmanager
def _view(plan: ViewPlan) -> Iterator[int]:
    with ExitStack() as handles:
        found: dict[str, int] = {}
        target = plan.target
        if plan.pid:
            _attach_running(plan, found, handles)
        else:
            target = _mount_root(plan)
        root = os.open(target, _ROOT)
        handles.callback(os.close, root)
        for entry in _by_depth(plan.record.mounts):
            _attach(root, entry, found)
        for name in FILES:
            _attach_tree(root, f"/etc/{name}", partial(_file, str(plan.files / name)), writable=True)
        yield root


def _by_depth(mounts: Sequence[ResolvedMount]) -> list[ResolvedMount]:
    return sorted(mounts, key=lambda entry: posixpath.normpath(entry.destination).count("/"))


def _mount_root(plan: ViewPlan) -> Path:
    """The overlay of a container that does not run; its folder."""
    entry = plan.root_mounts[0]
    options = list(entry.options or ())
    if plan.kept:
        mount("overlay", plan.target, "overlay", data=",".join(options))
        return plan.target
    # Nobody may write into the real upper folder here: a start may mount it meanwhile.
    mount("tmpfs", plan.target, "tmpfs", MountFlag.NOSUID | MountFlag.NODEV, "mode=700")
    upper, work, root = (plan.target / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    status = plan.upper.stat()
    os.chown(upper, status.st_uid, status.st_gid)
    upper.chmod(stat.S_IMODE(status.st_mode))
    os.utime(upper, ns=(status.st_mtime_ns, status.st_mtime_ns))
    own = {"lowerdir": plan.upper, "upperdir": upper, "workdir": work}
    words = named_options(options)
    words |= {key: f"{value}:{words['lowerdir']}" if key == "lowerdir" else str(value) for key, value in own.items()}
    mount("overlay", root, "overlay", data=",".join(f"{key}={value}" for key, value in words.items()))
    return root


def _attach_running(plan: ViewPlan, found: dict[str, int], handles: ExitStack) -> None:
    """Copies of the root mount of the container's process and of its file systems in memory; *found* gets those."""
    process = _open_process(plan)
    try:
        top = visit_mounts_of(process, lambda: _copies(plan.record, found, handles))
    finally:
        os.close(process)
    try:
        place = os.open(plan.target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            move_mount(top, place)
        finally:
            os.close(place)
    finally:
        os.close(top)


def _open_process(plan: ViewPlan) -> int:
    """A handle on /proc/PID that is the container's for sure: its root is the overlay on our upper folder."""
    try:
        process = os.open(f"/proc/{plan.pid}", _ROOT)
    except FileNotFoundError:
        raise _not_running(plan) from None
    try:
        mine = f"upperdir={plan.upper}".encode() in _mount_table(process)
    except (FileNotFoundError, ProcessLookupError):
        mine = False
    except BaseException:
        os.close(process)
        raise
    if not mine:
        os.close(process)
        raise _not_running(plan)
    return process


def _not_running(plan: ViewPlan) -> Conflict:
    return Conflict(f"Container {plan.record.id} is not running")


def _mount_table(process: int) -> bytes:
    handle = os.open("mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        pieces = []
        while piece := os.read(handle, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)


def _copies(record: Record, found: dict[str, int], handles: ExitStack) -> int:
    """Runs among the container's mounts: system calls on handles alone."""
    root = open_tree(AT_FDCWD, "/", 0)
    try:
        for entry in record.mounts:
            if isinstance(entry, TmpfsMount | ImageMount):
                with suppress(KernelError):  # the container took it away
                    place = open_in_root(root, entry.destination, os.O_PATH)
                    handles.callback(os.close, place)
                    found[entry.destination] = open_tree(place, "", OPEN_TREE_CLONE | _AT_EMPTY_PATH)
                    handles.callback(os.close, found[entry.destination])
        return open_tree(root, "", OPEN_TREE_CLONE | _AT_EMPTY_PATH)
    finally:
        os.close(root)


def _attach(root: int, entry: ResolvedMount, found: dict[str, int]) -> None:
    if isinstance(entry, TmpfsMount | ImageMount):
        handle = found.get(entry.destination)
        if handle is not None:
            _put(root, entry.destination, handle)
        return
    _attach_tree(root, entry.destination, partial(source_tree, entry), writable=entry.writable)


def _file(path: str) -> int:
    return open_tree(AT_FDCWD, path, OPEN_TREE_CLONE)


def _attach_tree(root: int, destination: str, tree: Callable[[], int], *, writable: bool) -> None:
    try:
        handle = tree()
    except InvalidInput:
        return  # the part of a volume that was asked for has gone
    except OSError as error:
        if error.errno in _GONE:
            return  # made at the first start, or removed since
        raise
    try:
        mount_setattr(handle, propagation=MountFlag.PRIVATE, recursive=True)
        if not writable:
            mount_setattr(handle, set_=int(MountAttr.RDONLY), recursive=True)
        _put(root, destination, handle)
    finally:
        os.close(handle)


def _put(root: int, destination: str, handle: int) -> None:
    make = make_folders_in_root if stat.S_ISDIR(os.fstat(handle).st_mode) else make_file_in_root
    try:
        target = make(root, destination, 0o755)
    except KernelError as error:
        if error.errno in _GONE | {errno.EROFS}:
            return
        raise
    try:
        move_mount(handle, target)
    finally:
        os.close(target)
