"""One mounted tree of cgroups: folders made, files read and written below a handle that is opened once."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator

from havre.kernel.files import CGROUP2_MAGIC, CGROUP_MAGIC
from havre.kernel.libc import KernelError
from havre.kernel.procfs import KernelFolder

_REMOVE_WITHIN_S = 1.0


class Hierarchy:
    """The cgroups below one mount point; paths are relative to it.

    A file is never reached through a link or another mount (security rule 16: what is written decides what a
    container may do). Whatever fails raises KernelError with the whole name in it.
    """

    def __init__(self, mount_point: str, controllers: frozenset[str] = frozenset(), options: str = "") -> None:
        self.mount_point = mount_point
        self.controllers = controllers
        self.options = options
        self.version = 1 if options else 2
        top = os.open(mount_point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._top = KernelFolder(top, CGROUP_MAGIC if self.version == 1 else CGROUP2_MAGIC)
        except OSError:
            os.close(top)
            raise

    def close(self) -> None:
        """Give the handle back."""
        self._top.close()

    def where(self, path: str, file: str = "") -> str:
        """The name on the host, for people and for bind mounts."""
        return "/".join(part for part in (self.mount_point, path, file) if part)

    def open(self, path: str, file: str = "") -> int:
        """A handle on the folder *path*, for clone3(2) and bpf(2), or one to write to *file* in it."""
        name, flags = (f"{path}/{file}", os.O_WRONLY) if file else (path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return self._top.open(name, flags)
        except OSError as error:
            raise _told(error, f"open {self.where(path, file)}") from error

    def exists(self, path: str, file: str = "") -> bool:
        """Whether the folder *path*, or *file* in it, is there."""
        try:
            os.close(self._top.open(f"{path}/{file}" if file else path, os.O_PATH))
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return False
            raise
        return True

    def make(self, path: str) -> bool:
        """Make the folder *path* with its parents; False when it was there already."""
        try:
            os.mkdir(path, 0o755, dir_fd=self._top.fd)
        except FileExistsError:
            return False
        except FileNotFoundError as error:
            parent = path.rpartition("/")[0]
            if not parent:
                raise _told(error, f"mkdir {self.where(path)}") from error
            self.make(parent)
            return self.make(path)
        except OSError as error:
            raise _told(error, f"mkdir {self.where(path)}") from error
        return True

    def rename(self, path: str, new_path: str) -> None:
        """Call the folder *path* otherwise, with the same parent. EPERM on v2, EEXIST when the name is taken."""
        try:
            os.rename(path, new_path, src_dir_fd=self._top.fd, dst_dir_fd=self._top.fd)
        except OSError as error:
            raise _told(error, f"rename {self.where(path)} to {new_path}") from error

    def read(self, path: str, file: str) -> str:
        """The text of a file."""
        try:
            return self._top.read(f"{path}/{file}").decode("ascii", "replace")
        except OSError as error:
            raise _told(error, f"read {self.where(path, file)}") from error

    def write(self, path: str, file: str, value: str) -> None:
        """Hand over a whole line in one piece."""
        try:
            self._top.write(f"{path}/{file}", value.encode())
        except OSError as error:
            raise _told(error, f"write {value!r} to {self.where(path, file)}") from error

    def folders(self, path: str) -> list[str]:
        """*path* and every cgroup below it, parents first. A vanished one is passed over."""
        try:
            handle = self.open(path)
        except KernelError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return []
            raise
        try:
            with os.scandir(handle) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            names = []
        finally:
            os.close(handle)
        return [path, *(below for name in names for below in self.folders(f"{path}/{name}"))]

    def pids(self, path: str) -> list[int]:
        """The processes in *path* and below it."""
        found: list[int] = []
        for folder in self.folders(path):
            with contextlib.suppress(KernelError):  # gone in the meantime, or a threaded cgroup of v2
                found.extend(map(int, self.read(folder, "cgroup.procs").split()))
        return found

    def remove(self, path: str) -> None:
        """Take the folder and those below it away; absent is done.

        A process that just died keeps its cgroup busy until the kernel is through with it: for that long
        the removal is tried again. Raises KernelError EBUSY when processes stay.
        """
        for pause_s in _pauses(_REMOVE_WITHIN_S):
            failure = self._remove_now(path)
            if failure is None:
                return
            if failure.errno not in (errno.EBUSY, errno.ENOTEMPTY) or pause_s is None:
                raise _told(failure, f"rmdir {self.where(path)}")
            time.sleep(pause_s)

    def _remove_now(self, path: str) -> OSError | None:
        failure = None
        for folder in reversed(self.folders(path)):
            try:
                os.rmdir(folder, dir_fd=self._top.fd)
            except FileNotFoundError:
                failure = None
            except OSError as error:
                failure = error
        return failure


def _pauses(within_s: float) -> Iterator[float | None]:
    """How long to wait after each try, growing from a millisecond; at last None."""
    deadline = time.monotonic() + within_s
    pause_s = 0.001
    while time.monotonic() < deadline:
        yield pause_s
        pause_s = min(pause_s * 2, 0.05)
    yield None


def wait_until(reached: Callable[[], bool], within_s: float) -> bool:
    """Call *reached* until it says True; False after *within_s*."""
    for pause_s in _pauses(within_s):
        if reached():
            return True
        if pause_s is not None:
            time.sleep(pause_s)
    return False


def _told(error: OSError, tried: str) -> KernelError:
    return KernelError.of(error.errno or errno.EIO, tried)
