"""Network namespaces without a process: made and entered by threads, held by descriptors, pinned to files.

unshare(2) and setns(2) move one thread only, and a thread that could not come back must end; so every
visit has a thread of its own. network_namespaces(7).
"""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Generic, TypeVar

from havre.kernel.files import filesystem_magic
from havre.kernel.libc import KernelError
from havre.kernel.mounts import UMOUNT_DETACH, UMOUNT_NOFOLLOW, MountFlag, mount, umount
from havre.kernel.namespaces import CLONE, setns, unshare

_T = TypeVar("_T")
_NSFS_MAGIC = 0x6E736673
_OWN = "/proc/thread-self/ns/net"


def make_netns(prepare: Callable[[], _T]) -> tuple[int, _T]:
    """A descriptor of a fresh namespace, and what *prepare* gave when it was called inside it.

    The namespace lives as long as the descriptor, a file that it is pinned to, or a process in it.
    """

    def visit() -> tuple[int, _T]:
        unshare(CLONE.NEWNET)
        handle = open_netns(Path(_OWN))
        try:
            return handle, prepare()
        except BaseException:
            os.close(handle)
            raise

    return _Visit(visit).result()


def run_in_netns(netns_fd: int, function: Callable[[], _T]) -> _T:
    """Call *function* inside the namespace that *netns_fd* holds, and give its result or its exception."""

    def visit() -> _T:
        setns(netns_fd, CLONE.NEWNET)
        return function()

    return _Visit(visit).result()


def open_netns(path: Path) -> int:
    """A descriptor of the namespace pinned to *path*. Raises KernelError, EINVAL if none is there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"open network namespace {path}") from error
    with ExitStack() as undo:
        undo.callback(os.close, handle)
        if filesystem_magic(handle) != _NSFS_MAGIC:
            raise KernelError.of(errno.EINVAL, f"{path} is no network namespace")
        undo.pop_all()
    return handle


def pin_netns(netns_fd: int, path: Path) -> None:
    """Bind the namespace to the new file *path*, so that it outlives this process. Raises KernelError."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444))
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"make {path}") from error
    try:
        mount(f"/proc/self/fd/{netns_fd}", path, flags=MountFlag.BIND)
    except BaseException:
        path.unlink()
        raise


def unpin_netns(path: Path) -> None:
    """Take the file *path* away; what is gone already is no error.

    The kernel takes a namespace that nothing else holds down later, on its own time.
    """
    try:
        while True:  # a file bound over more than once is freed of every layer
            umount(path, UMOUNT_DETACH | UMOUNT_NOFOLLOW)
    except KernelError as error:
        if error.errno not in {errno.EINVAL, errno.ENOENT}:  # not a mount point; no such file
            raise
    path.unlink(missing_ok=True)


class _Visit(threading.Thread, Generic[_T]):
    """One call in a thread of its own."""

    def __init__(self, function: Callable[[], _T]) -> None:
        super().__init__(name="netns-visit", daemon=True)
        self._function = function
        self._results: list[_T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001  handed to the caller, whatever it is
            self._error = error

    def result(self) -> _T:
        """Start, wait, and give what the function gave."""
        self.start()
        self.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
