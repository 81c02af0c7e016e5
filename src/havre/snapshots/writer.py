"""Writing a tree as a tar archive: the same tree gives the same bytes.

Members come by name, a folder before what it holds; owners are numbers alone; access times are left out. With
`WriteWishes.overlay` the tree is the upper folder of an overlay, and the archive a layer: what overlayfs marks as
removed becomes `.wh.` entries (image-spec, layer.md).
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from havre.snapshots.layer import OPAQUE_NAME, OPAQUE_XATTR, WHITEOUT_PREFIX
from havre.snapshots.tar_fields import Numbers, header
from havre.snapshots.tar_header import BLOCK
from havre.snapshots.tree import is_whiteout
from havre.snapshots.walk import Found, walk

_PIECE_BYTES = 1 << 18
END_MARK = bytes(2 * BLOCK)
_NS = 1_000_000_000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NODES = {stat.S_IFCHR: b"3", stat.S_IFBLK: b"4", stat.S_IFIFO: b"6"}
# Labels and hashes that belong to this host, and overlayfs' own marks.
PRIVATE_XATTRS = ("trusted.overlay.", "user.overlay.", "security.selinux", "security.ima", "security.evm")


@dataclass(frozen=True, slots=True)
class WriteWishes:
    """*overlay*: the tree is an overlay's upper folder. *root_entry*: begin with `./`, the root folder itself.

    *nanoseconds*: keep fractions of times, at the price of an extended header each; Docker cuts them.
    *prefix* is put before each path (and stands for the root, whose entry needs *root_entry*); an empty one makes
    paths absolute. *without* tells what to leave out, by path and status; what is below it stays.
    Without *end* more members may follow.
    """

    overlay: bool = False
    root_entry: bool = False
    nanoseconds: bool = False
    prefix: bytes | None = None
    without: Callable[[bytes, os.stat_result], bool] | None = None
    end: bool = True


def write_tar(root: int, wishes: WriteWishes | None = None) -> Generator[bytes, None, None]:
    """The archive of the open folder *root* in pieces of a quarter of a megabyte; blocks, and leaves *root* open.

    Close it when it is not read to its end: it may hold a file open.
    """
    return _gathered(_Writer(root, wishes or WriteWishes()).members())


def write_entry(folder: int, name: bytes, *, end: bool = True) -> Iterator[bytes]:
    """The archive of one entry of the open folder *folder*, which is no folder itself; see `WriteWishes.end`."""
    found = Found(folder, name, name, os.stat(name, dir_fd=folder, follow_symlinks=False))
    return _gathered(_Writer(folder, WriteWishes(end=end)).one(found))


class _Writer:
    def __init__(self, root: int, wishes: WriteWishes) -> None:
        self._root = root
        self._wishes = wishes
        self._linked: dict[tuple[int, int], bytes] = {}

    def members(self) -> Iterator[bytes]:
        if self._wishes.root_entry:
            numbers = self._numbers(os.fstat(self._root))
            prefix = b"." if self._wishes.prefix is None else self._wishes.prefix
            yield header(b"5", prefix + b"/", numbers, xattrs=_xattrs(self._root))
        without = self._wishes.without
        for found in walk(self._root):
            if without is not None and without(found.path, found.status):
                continue
            with suppress(FileNotFoundError):  # gone since it was listed
                yield from self._member(found, self._path(found.path))
        if self._wishes.end:
            yield END_MARK

    def one(self, found: Found) -> Iterator[bytes]:
        """The member of *found* alone."""
        yield from self._member(found, found.path)
        if self._wishes.end:
            yield END_MARK

    def _path(self, path: bytes) -> bytes:
        return path if self._wishes.prefix is None else self._wishes.prefix + b"/" + path

    def _member(self, found: Found, path: bytes) -> Iterator[bytes]:
        status = found.status
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            yield from self._folder(found, path)
            return
        if self._wishes.overlay and is_whiteout(status):
            head, slash, name = path.rpartition(b"/")
            yield header(b"0", head + slash + WHITEOUT_PREFIX + name, Numbers(mtime_ns=self._time(status)))
            return
        if kind == stat.S_IFSOCK:
            return  # no archive can hold one
        numbers = self._numbers(status)
        if status.st_nlink > 1:
            first = self._linked.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                yield header(b"1", path, numbers, first)
                return
        if kind == stat.S_IFREG:
            yield from self._file(found, path, numbers)
        elif kind == stat.S_IFLNK:
            target = os.readlink(found.name, dir_fd=found.folder)
            yield header(b"2", path, numbers, target, _xattrs(_by_handle(found)))
        else:
            numbers.device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind != stat.S_IFIFO else (0, 0)
            yield header(_NODES[kind], path, numbers, xattrs=_xattrs(_by_handle(found)))

    def _folder(self, found: Found, path: bytes) -> Iterator[bytes]:
        handle = os.open(found.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=found.folder)
        try:
            yield header(b"5", path + b"/", self._numbers(found.status), xattrs=_xattrs(handle))
            if self._wishes.overlay and _is_opaque(handle):
                mark = Numbers(mtime_ns=self._time(found.status))
                yield header(b"0", path + b"/" + OPAQUE_NAME, mark)
        finally:
            os.close(handle)

    def _file(self, found: Found, path: bytes, numbers: Numbers) -> Iterator[bytes]:
        handle = os.open(found.name, _READ, dir_fd=found.folder)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return  # replaced since it was listed
            numbers.size = left = status.st_size
            before = header(b"0", path, numbers, xattrs=_xattrs(handle))
            while True:
                # A file that shrinks meanwhile is filled up: its size has been said.
                piece = (os.read(handle, min(left, _PIECE_BYTES)) or bytes(min(left, _PIECE_BYTES))) if left else b""
                left -= len(piece)
                if not left:
                    yield before + piece + bytes(-numbers.size % BLOCK)
                    return
                yield before + piece if before else piece
                before = b""
        finally:
            os.close(handle)

    def _numbers(self, status: os.stat_result) -> Numbers:
        return Numbers(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, mtime_ns=self._time(status))

    def _time(self, status: os.stat_result) -> int:
        whole = status.st_mtime_ns
        return whole if self._wishes.nanoseconds else whole - whole % _NS


def _gathered(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """The same bytes in larger pieces."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(waiting) if len(waiting) > 1 else piece
            waiting.clear()
            size = 0
    yield b"".join(waiting)


def _by_handle(found: Found) -> bytes:
    return f"/proc/self/fd/{found.folder}/".encode() + found.name


def _xattrs(where: int | bytes) -> dict[bytes, bytes]:
    by_path = not isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=False) if by_path else os.listxattr(where)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return {}
        raise
    found: dict[bytes, bytes] = {}
    for name in names:
        if name.startswith(PRIVATE_XATTRS):
            continue
        with suppress(OSError):  # removed since it was listed
            value = os.getxattr(where, name, follow_symlinks=False) if by_path else os.getxattr(where, name)
            found[os.fsencode(name)] = value
    return found


def _is_opaque(handle: int) -> bool:
    try:
        return os.getxattr(handle, OPAQUE_XATTR) == b"y"
    except OSError:
        return False
