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
from havre.snapshots.tar_header import BLOCK, ZEROS
from havre.snapshots.tree import is_whiteout
from havre.snapshots.walk import Found, look, walk

_PIECE_BYTES = 1 << 18
END_MARK = bytes(2 * BLOCK)
_NS = 1_000_000_000
_NODES = {stat.S_IFCHR: b"3", stat.S_IFBLK: b"4", stat.S_IFIFO: b"6"}
# Labels and hashes that belong to this host, and overlayfs' own marks.
PRIVATE_XATTRS = ("trusted.overlay.", "user.overlay.", "security.selinux", "security.ima", "security.evm")


@dataclass(frozen=True, slots=True)
class WriteWishes:
    """*overlay*: the tree is an overlay's upper folder. *root_entry*: begin with `./`, the root folder itself.

    *nanoseconds*: keep fractions of times, at the price of an extended header each; Docker cuts them.
    *weigh* is told the size of each file as the archive tells it, of hard-linked ones once.
    *prefix* is put before each path (and stands for the root, whose entry needs *root_entry*); an empty one makes
    paths absolute. *without* tells what to leave out, by path and status; what is below it stays.
    Without *end* more members may follow.
    """

    overlay: bool = False
    root_entry: bool = False
    nanoseconds: bool = False
    prefix: bytes | None = None
    without: Callable[[bytes, os.stat_result], bool] | None = None
    weigh: Callable[[int], None] | None = None
    end: bool = True


def write_tar(root: int, wishes: WriteWishes | None = None) -> Generator[bytes, None, None]:
    """The archive of the open folder *root* in pieces of a quarter of a megabyte; blocks, and leaves *root* open.

    Close it when it is not read to its end: it may hold a file open.
    """
    return _gathered(_Writer(root, wishes or WriteWishes()).members())


def write_entry(folder: int, name: bytes, *, end: bool = True) -> Iterator[bytes]:
    """The archive of one entry of the open folder *folder*, which is no folder itself; see `WriteWishes.end`."""
    return _gathered(_Writer(folder, WriteWishes(end=end)).one(name))


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
        for found in walk(self._root, open_files=True):
            if without is not None and without(found.path, found.status):
                continue
            with suppress(FileNotFoundError):  # gone since it was listed
                yield from self._member(found, self._path(found.path))
        if self._wishes.end:
            yield END_MARK

    def one(self, name: bytes) -> Iterator[bytes]:
        """The member *name* of the root folder alone."""
        status, handle = look(self._root, name, open_first=False, open_files=True)
        try:
            yield from self._member(Found(self._root, name, name, status, handle), name)
        finally:
            if handle >= 0:
                os.close(handle)
        if self._wishes.end:
            yield END_MARK

    def _path(self, path: bytes) -> bytes:
        return path if self._wishes.prefix is None else self._wishes.prefix + b"/" + path

    def _member(self, found: Found, path: bytes) -> Iterable[bytes]:
        status = found.status
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            return self._folder(found, path)
        if self._wishes.overlay and is_whiteout(status):
            head, slash, name = path.rpartition(b"/")
            return (header(b"0", head + slash + WHITEOUT_PREFIX + name, Numbers(mtime_ns=self._time(status))),)
        if kind == stat.S_IFSOCK:
            return ()  # no archive can hold one
        numbers = self._numbers(status)
        if status.st_nlink > 1:
            first = self._linked.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                return (header(b"1", path, numbers, first),)
        if kind == stat.S_IFREG:
            return self._file(found, path, numbers)
        if kind == stat.S_IFLNK:
            target = os.readlink(found.name, dir_fd=found.folder)
            return (header(b"2", path, numbers, target, _xattrs(_by_handle(found))),)
        numbers.device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind != stat.S_IFIFO else (0, 0)
        return (header(_NODES[kind], path, numbers, xattrs=_xattrs(_by_handle(found))),)

    def _folder(self, found: Found, path: bytes) -> Iterator[bytes]:
        handle = os.open(found.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=found.folder)
        try:
            yield header(b"5", path + b"/", self._numbers(found.status), xattrs=_xattrs(handle))
            if self._wishes.overlay and _is_opaque(handle):
                mark = Numbers(mtime_ns=self._time(found.status))
                yield header(b"0", path + b"/" + OPAQUE_NAME, mark)
        finally:
            os.close(handle)

    def _file(self, found: Found, path: bytes, numbers: Numbers) -> Iterable[bytes]:
        size = numbers.size = found.status.st_size
        if self._wishes.weigh is not None:
            self._wishes.weigh(size)
        before = header(b"0", path, numbers, xattrs=_xattrs(found.handle))
        if size > _PIECE_BYTES:
            return self._in_pieces(found.handle, before, size)
        return (before, _read(found.handle, size), ZEROS[: -size % BLOCK])

    def _in_pieces(self, handle: int, before: bytes, size: int) -> Iterator[bytes]:
        yield before
        left = size
        while left:
            piece = _read(handle, min(left, _PIECE_BYTES))
            left -= len(piece)
            yield piece
        yield ZEROS[: -size % BLOCK]

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


def _read(handle: int, size: int) -> bytes:
    """*size* bytes: a file that shrinks meanwhile is filled up, for its size has been said."""
    data = os.read(handle, size)
    while len(data) < size:
        data += os.read(handle, size - len(data)) or bytes(size - len(data))
    return data


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
