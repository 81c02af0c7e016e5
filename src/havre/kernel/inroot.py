"""Paths that an outsider can influence, resolved once by the kernel below a root it cannot leave: openat2(2)."""

import ctypes
import errno
import os
import stat
import time

from havre.kernel.libc import KernelError, StrPath, path_bytes, shown, syscall

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_OPENAT2 = 437
_RETRIES = 128
_RETRY_NS = 2_000_000
_LINKS = 40
_O_PATH = os.O_PATH | os.O_CLOEXEC


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW_SIZE = ctypes.sizeof(_How)


def openat2(folder_fd: int, path: StrPath, flags: int, *, mode: int = 0, resolve: int) -> int:
    """Open *path* by the rules in *resolve*, close-on-exec; tried again while renames are under way.

    It gives up with EAGAIN when both 128 tries and two milliseconds are spent.
    """
    raw = path_bytes(path)
    how = ctypes.byref(_How(flags | os.O_CLOEXEC, mode, resolve))
    tries, deadline = 0, 0
    while True:
        try:
            return syscall(_OPENAT2, folder_fd, raw, how, _HOW_SIZE, tried="openat2")
        except KernelError as error:
            number = error.errno or 0
        if number != errno.EAGAIN:
            break
        now = time.monotonic_ns()
        tries, deadline = tries + 1, deadline or now + _RETRY_NS
        if tries >= _RETRIES and now >= deadline:
            break
    raise KernelError.of(number, f"open {shown(path)} below descriptor {folder_fd}")


def open_in_root(root_fd: int, path: StrPath, flags: int, mode: int = 0) -> int:
    """Open *path* as a process chrooted to *root_fd* would, never following a magic link; close-on-exec.

    `..` stops at the root, absolute links start there. *mode* is for O_CREAT, which should come with O_EXCL.
    """
    return openat2(root_fd, path, flags, mode=mode, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def open_parent_in_root(root_fd: int, path: StrPath) -> tuple[int, bytes]:
    """(handle on the folder that holds *path*'s last name, that name), for `*at` calls with one component.

    Raises KernelError (EINVAL) when the last name is empty, `.` or `..`.
    """
    head, _, name = path_bytes(path).rstrip(b"/").rpartition(b"/")
    if name in {b"", b".", b".."}:
        raise KernelError.of(errno.EINVAL, f"no name to work on in {shown(path)}")
    return open_in_root(root_fd, b"/" + head, os.O_PATH | os.O_DIRECTORY), name


def read_in_root(root_fd: int, path: StrPath, limit: int) -> bytes:
    """The content of the regular file *path*, at most *limit* bytes (EFBIG beyond).

    A FIFO, device or folder is refused with EINVAL and never waited for.
    """
    handle = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise KernelError.of(errno.EINVAL, f"read {shown(path)}, which is not a regular file")
        data = bytearray()
        # At the size that the file has, and not at a megabyte, the buffer costs no new mapping.
        while piece := os.read(handle, min(limit + 1, max(status.st_size, len(data)) + 4096) - len(data)):
            data += piece
            if len(data) > limit:
                raise KernelError.of(errno.EFBIG, f"read {shown(path)}, longer than {limit} bytes")
        return bytes(data)
    finally:
        os.close(handle)


def make_folders_in_root(root_fd: int, path: StrPath, mode: int = 0o755) -> int:
    """A handle (O_PATH) on the folder *path*, made with its parents where missing; links are followed in the root.

    A dangling link leads to the folder it names, which is made. ENOTDIR when something else is in the way.
    """
    try:
        return open_in_root(root_fd, path, os.O_PATH | os.O_DIRECTORY)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
    return _Walk(root_fd, path, mode).folders()


def make_file_in_root(root_fd: int, path: StrPath, mode: int = 0o644) -> int:
    """A handle (O_PATH) on *path*, made as an empty file with its parents where missing.

    What exists is taken as it is, of whatever kind; links are followed in the root, also dangling ones.
    """
    try:
        return open_in_root(root_fd, path, os.O_PATH)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
    return _Walk(root_fd, path, 0o755).file(mode)


class _Walk:
    """A walk from the root, one name at a time, each opened as itself below the handle reached before.

    The handles passed are kept, so that `..` goes back the way we came and never above the root.
    """

    def __init__(self, root_fd: int, path: StrPath, folder_mode: int) -> None:
        self._root = root_fd
        self._path = path
        self._mode = folder_mode
        self._todo = _names(path_bytes(path))
        self._passed: list[int] = []
        self._links = 0

    def folders(self) -> int:
        """Make what is missing; a handle on the last folder."""
        try:
            while self._todo:
                self._step(self._todo.pop())
            return os.dup(self._here) if self._passed else os.open(".", _O_PATH | os.O_DIRECTORY, dir_fd=self._root)
        finally:
            self._close()

    def file(self, mode: int) -> int:
        """Make what is missing, the last name as a file."""
        try:
            while len(self._todo) > 1 or (self._todo and self._todo[0] in {b".", b".."}):
                self._step(self._todo.pop())
            while self._todo:
                name = self._todo.pop()
                if self._todo or name in {b".", b".."}:
                    self._step(name)
                elif (handle := self._last(name, mode)) is not None:
                    return handle
            raise KernelError.of(errno.EISDIR, f"make file {shown(self._path)}")
        finally:
            self._close()

    @property
    def _here(self) -> int:
        return self._passed[-1] if self._passed else self._root

    def _close(self) -> None:
        while self._passed:
            os.close(self._passed.pop())

    def _step(self, name: bytes) -> None:
        if name == b".":
            return
        if name == b"..":
            if self._passed:
                os.close(self._passed.pop())
            return
        handle = self._open(name)
        if handle is None:
            try:
                os.mkdir(name, self._mode, dir_fd=self._here)
            except FileExistsError:
                pass  # a neighbour was faster; what it made is looked at like anything else
            except OSError as error:
                raise self._error(error) from error
            handle = self._open(name)
        if handle is None:
            raise KernelError.of(errno.EAGAIN, f"make folder {shown(name)} of {shown(self._path)}")
        self._enter(name, handle)

    def _enter(self, name: bytes, handle: int) -> None:
        kind = os.fstat(handle).st_mode
        if stat.S_ISDIR(kind):
            self._passed.append(handle)
            return
        os.close(handle)
        if not stat.S_ISLNK(kind):
            raise KernelError.of(errno.ENOTDIR, f"{shown(name)} of {shown(self._path)}")
        self._follow(name)

    def _last(self, name: bytes, mode: int) -> int | None:
        handle = self._open(name)
        if handle is None:
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(name, flags, mode, dir_fd=self._here))
            except FileExistsError:
                pass  # as in _step
            except OSError as error:
                raise self._error(error) from error
            handle = self._open(name)
        if handle is None:
            raise KernelError.of(errno.EAGAIN, f"make file {shown(self._path)}")
        if stat.S_ISLNK(os.fstat(handle).st_mode):
            os.close(handle)
            self._follow(name)
            return None
        return handle

    def _open(self, name: bytes) -> int | None:
        try:
            return openat2(self._here, name, os.O_PATH | os.O_NOFOLLOW, resolve=RESOLVE_NO_MAGICLINKS)
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return None
            raise

    def _follow(self, name: bytes) -> None:
        self._links += 1
        if self._links > _LINKS:
            raise KernelError.of(errno.ELOOP, f"make {shown(self._path)}")
        try:
            target = os.readlink(name, dir_fd=self._here)
        except OSError as error:
            raise self._error(error) from error
        if target.startswith(b"/"):
            self._close()
        self._todo += _names(target)

    def _error(self, error: OSError) -> KernelError:
        return KernelError.of(error.errno or 0, f"make {shown(self._path)}")


def _names(path: bytes) -> list[bytes]:
    """The components of *path*, last first."""
    return [name for name in reversed(path.split(b"/")) if name]
