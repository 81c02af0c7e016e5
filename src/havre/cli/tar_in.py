"""A tar archive from the daemon into local files: nothing leaves the target folder, whatever names and links say."""

from __future__ import annotations

import os
import stat

from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 512
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_EXTENSION = 1 << 20
_NODES = {b"3": stat.S_IFCHR, b"4": stat.S_IFBLK, b"6": stat.S_IFIFO}


class Entry:
    """One member's header."""

    __slots__ = ("device", "kind", "link", "mode", "mtime", "path", "size")

    def __init__(self, block: bytes, records: dict[bytes, bytes]) -> None:
        name, prefix = _text(block[:100]), _text(block[345:500]) if block[257:262] == b"ustar" else b""
        self.path = records.get(b"path") or (prefix + b"/" + name if prefix else name)
        self.link = records.get(b"linkpath") or _text(block[157:257])
        self.kind = b"5" if block[156:157] in (b"0", b"\0") and self.path.endswith(b"/") else block[156:157]
        self.mode = _number(block[100:108]) & 0o7777
        self.size = int(records[b"size"]) if b"size" in records else _number(block[124:136])
        self.mtime = float(records[b"mtime"]) if b"mtime" in records else float(_number(block[136:148]))
        self.device = (_number(block[329:337]), _number(block[337:345])) if self.kind in (b"3", b"4") else (0, 0)


class Stream:
    """Pieces of bytes, read by count; *taken* is how many were."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""
        self._at = 0
        self.taken = 0

    def some(self, limit: int) -> bytes:
        """Between one byte and *limit*; none at the end."""
        if self._at == len(self._held):
            self._held, self._at = next(self._pieces, b""), 0
        piece = self._held[self._at : self._at + limit]
        self._at += len(piece)
        self.taken += len(piece)
        return piece

    def exactly(self, count: int) -> bytes:
        """*count* bytes. Raises ClientError when the archive ends before."""
        parts = []
        while count:
            piece = self.some(count)
            if not piece:
                raise ClientError("unexpected EOF")
            parts.append(piece)
            count -= len(piece)
        return b"".join(parts)

    def rest(self) -> None:
        """Read to the end."""
        while self.some(1 << 20):
            pass


def unpack(stream: Stream, folder: str, old: str, new: str) -> None:
    """Extract *stream* into *folder*; in a path that begins with *old*, *new* takes its place. ClientError."""
    try:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ClientError(f"{folder}: {(error.strerror or str(error)).lower()}") from error
    try:
        _Extraction(stream, root, folder, (os.fsencode(old).lstrip(b"/"), os.fsencode(new))).run()
    finally:
        os.close(root)


class _Extraction:
    def __init__(self, stream: Stream, root: int, folder: str, names: tuple[bytes, bytes]) -> None:
        self._stream = stream
        self._root = root
        self._folder = folder
        self._old, self._new = names
        self._parent: tuple[list[bytes], int] | None = None
        self._folders: list[tuple[list[bytes], Entry]] = []

    def run(self) -> None:
        try:
            for entry in entries(self._stream):
                parts = _parts(self._renamed(entry.path))
                try:
                    self._make(entry, parts)
                except OSError as error:
                    shown = f"{self._folder}/{os.fsdecode(b'/'.join(parts))}"
                    raise ClientError(f"{shown}: {(error.strerror or str(error)).lower()}") from error
            self._stream.rest()
            for parts, entry in reversed(self._folders):
                handle = self._open(parts)
                os.chmod(handle, entry.mode)
                os.utime(handle, (entry.mtime, entry.mtime))
        finally:
            self._close()

    def _renamed(self, path: bytes) -> bytes:
        if self._old == self._new:
            return path
        path = path.lstrip(b"/")
        if not self._old:
            return self._new + b"/" + path
        return path.replace(self._old, self._new, 1)

    def _make(self, entry: Entry, parts: list[bytes]) -> None:
        if not parts:
            return
        *head, name = parts
        parent = self._open(head)
        if self._makes_way(parent, name, entry):
            return
        if entry.kind == b"5":
            os.mkdir(name, 0o700, dir_fd=parent)
            self._folders.append((parts, entry))
        elif entry.kind == b"2":
            os.symlink(entry.link, name, dir_fd=parent)
        elif entry.kind == b"1":
            *source, target = _parts(self._renamed(entry.link))
            handle = os.dup(self._open(source))
            try:
                os.link(target, name, src_dir_fd=handle, dst_dir_fd=self._open(head), follow_symlinks=False)
            finally:
                os.close(handle)
        elif entry.kind in _NODES:
            os.mknod(name, _NODES[entry.kind] | entry.mode, os.makedev(*entry.device), dir_fd=parent)
        else:
            self._write(entry, parent, name)

    def _write(self, entry: Entry, parent: int, name: bytes) -> None:
        handle = os.open(name, _FILE, 0o600, dir_fd=parent)
        try:
            left = entry.size
            while left:
                piece = self._stream.some(left)
                if not piece:
                    raise ClientError("unexpected EOF")
                left -= len(piece)
                while piece:
                    piece = piece[os.write(handle, piece) :]
            os.chmod(handle, entry.mode)
            os.utime(handle, (entry.mtime, entry.mtime))
        finally:
            os.close(handle)

    def _makes_way(self, parent: int, name: bytes, entry: Entry) -> bool:
        """Remove what stands there; true for a folder that stays and is merged with. Raises ClientError."""
        try:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        here = f"{self._folder}/{os.fsdecode(name)}"
        if stat.S_ISDIR(mode):
            if entry.kind != b"5":
                raise ClientError(f'cannot overwrite directory "{here}" with non-directory "{self._folder}"')
            return True
        if entry.kind == b"5":
            raise ClientError(f'cannot overwrite non-directory "{here}" with directory "{self._folder}"')
        os.unlink(name, dir_fd=parent)
        return False

    def _open(self, parts: list[bytes]) -> int:
        """A handle on a folder below the root, one name after the other, no link followed; good until the next call."""
        if self._parent is not None and self._parent[0] == parts:
            return self._parent[1]
        handle = os.dup(self._root)
        for part in parts:
            try:
                below = os.open(part, _FOLDER, dir_fd=handle)
            except FileNotFoundError:
                os.mkdir(part, 0o755, dir_fd=handle)
                below = os.open(part, _FOLDER, dir_fd=handle)
            finally:
                os.close(handle)
            handle = below
        self._close()
        self._parent = (parts, handle)
        return handle

    def _close(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None


def entries(stream: Stream) -> Iterator[Entry]:
    """The members; the data of each is read, or passed over, before the next. Raises ClientError."""
    records: dict[bytes, bytes] = {}
    while (block := stream.exactly(_BLOCK)) != bytes(_BLOCK):
        try:
            entry = Entry(block, records)
        except ValueError:
            raise ClientError("archive/tar: invalid tar header") from None
        if entry.kind in (b"x", b"g", b"L", b"K"):
            if entry.size > _LONGEST_EXTENSION:
                raise ClientError("archive/tar: header field too long")
            data = stream.exactly(entry.size)
            stream.exactly(-entry.size % _BLOCK)
            records |= _extension(entry.kind, data)
            continue
        records = {}
        size = entry.size if entry.kind in (b"0", b"7", b"\0") else 0
        end = stream.taken + size + -size % _BLOCK
        yield entry
        while stream.taken < end:  # what was not read of it
            if not stream.some(end - stream.taken):
                raise ClientError("unexpected EOF")


def _extension(kind: bytes, data: bytes) -> dict[bytes, bytes]:
    if kind in (b"L", b"K"):
        return {b"path" if kind == b"L" else b"linkpath": data.rstrip(b"\0")}
    records = {}
    while data:
        digits, _, _ = data.partition(b" ")
        if not digits.isdigit() or not len(digits) < int(digits) <= len(data):
            raise ClientError("archive/tar: invalid tar header")
        key, _, value = data[len(digits) + 1 : int(digits) - 1].partition(b"=")
        records[key] = value
        data = data[int(digits) :]
    return records


def _parts(path: bytes) -> list[bytes]:
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise ClientError(f"{path.decode(errors='replace')!r} is outside of the target folder")
    return parts


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.strip(b"\0 ") or b"0", 8)
