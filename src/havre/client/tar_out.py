"""Local files as a tar archive for the daemon: ustar where it fits, a pax header where it does not."""

from __future__ import annotations

import os
import stat

from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 512
_PIECE = 1 << 20
_GATHERED = 1 << 18
_KINDS = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}
_LARGEST, _LARGEST_ID = 8**11 - 1, 8**7 - 1


def pack(path: str, name: str) -> Iterator[bytes]:
    """The archive of the local *path*, called *name* in it, with all below. Raises ClientError."""
    yield from gathered(_members(os.fsencode(path), os.fsencode(name)))


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* of an archive in larger ones, and its end."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _GATHERED:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join((*waiting, bytes(2 * _BLOCK)))


def _members(path: bytes, name: bytes) -> Iterator[bytes]:
    linked: dict[tuple[int, int], bytes] = {}
    waiting = [(path, name)]
    while waiting:
        path, name = waiting.pop()
        try:
            status = os.lstat(path)
            yield from member(path, name, status, linked)
            if stat.S_ISDIR(status.st_mode):
                below = sorted(os.listdir(path), reverse=True)
                waiting += [(path + b"/" + one, name.rstrip(b"/") + b"/" + one) for one in below]
        except OSError as error:
            raise ClientError(f"{path.decode(errors='replace')}: {(error.strerror or str(error)).lower()}") from error


def document(name: bytes, data: bytes) -> bytes:
    """A regular file *name* that holds *data*."""
    block = _block(b"0", name, b"", (0o600, 0, 0, len(data), 0), (0, 0))
    return block + data + bytes(-len(data) % _BLOCK)


def member(path: bytes, name: bytes, status: os.stat_result, linked: dict[tuple[int, int], bytes]) -> Iterator[bytes]:
    """What stands at the local *path*, called *name*; *linked* are the names of files that have several."""
    kind = stat.S_IFMT(status.st_mode)
    letter, link, size = _KINDS.get(kind, b""), b"", 0
    if not letter:
        return  # a socket: no archive can hold one
    if status.st_nlink > 1 and kind != stat.S_IFDIR:
        first = linked.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            letter, link = b"1", first
    if letter == b"2":
        link = os.readlink(path)
    elif letter == b"5":
        name = name.rstrip(b"/") + b"/"
    if letter != b"0":
        yield _header(letter, name, link, status, 0)
        return
    with open(path, "rb", buffering=0) as file:
        size = left = os.fstat(file.fileno()).st_size
        yield _header(letter, name, link, status, size)
        while left:
            piece = file.read(min(left, _PIECE))
            if not piece:  # what the header promised is nowhere: half a file must not pass for a whole one
                raise ClientError(f"{os.fsdecode(path)} became shorter while it was sent")
            left -= len(piece)
            yield piece
    yield bytes(-size % _BLOCK)


def _header(letter: bytes, name: bytes, link: bytes, status: os.stat_result, size: int) -> bytes:
    records = b""
    if len(name) > 100 or not name.isascii():
        records += _record(b"path", name)
    if len(link) > 100:
        records += _record(b"linkpath", link)
    if size > _LARGEST:
        records += _record(b"size", b"%d" % size)
    for key, value in ((b"uid", status.st_uid), (b"gid", status.st_gid)):
        if value > _LARGEST_ID:
            records += _record(key, b"%d" % value)
    device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if letter in (b"3", b"4") else (0, 0)
    mode, owner = status.st_mode & 0o7777, (status.st_uid, status.st_gid)
    block = _block(letter, name, link, (mode, *owner, size, int(status.st_mtime)), device)
    if not records:
        return block
    head = _block(b"x", b"PaxHeaders.0/x", b"", (0o644, 0, 0, len(records), 0), (0, 0))
    return head + records + bytes(-len(records) % _BLOCK) + block


def _block(
    letter: bytes, name: bytes, link: bytes, numbers: tuple[int, int, int, int, int], device: tuple[int, int]
) -> bytes:
    mode, uid, gid, size, mtime = numbers
    block = b"".join(
        (
            name[:100].ljust(100, b"\0"),
            b"%07o\0" % mode,
            b"%07o\0" % min(uid, _LARGEST_ID),
            b"%07o\0" % min(gid, _LARGEST_ID),
            b"%011o\0" % min(size, _LARGEST),
            b"%011o\0" % min(max(mtime, 0), _LARGEST),
            b"        ",
            letter,
            link[:100].ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),
            b"%07o\0%07o\0" % device,
        )
    ).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(b"%d" % rest)
    length = rest + len(b"%d" % length)  # the digits count themselves
    return b"%d %s=%s\n" % (length, key, value)
