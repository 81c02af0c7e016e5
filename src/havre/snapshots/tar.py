"""A streaming reader of tar archives from anyone: v7, ustar, GNU, pax, sparse files; nothing is done, only told.

It never seeks, holds at most one piece of data and one extended header, and checks every number.
`snapshots.layer` carries out what the members say.
"""

from collections.abc import Iterator
from enum import Enum

import msgspec

from havre.content.reader import Readable
from havre.snapshots import pax, sparse
from havre.snapshots.budget import BadArchive, Budget, TooLarge
from havre.snapshots.sparse import Segments
from havre.snapshots.tar_header import BLOCK, MAX_ID, MAX_SECONDS, ZEROS, Header, number

_PIECE_BYTES = 1 << 18
_NS = 1_000_000_000
_NO_XATTRS: dict[bytes, bytes] = {}


class Kind(Enum):
    """What a member is."""

    FILE = "-"
    LINK = "h"
    SYMLINK = "l"
    CHARACTER = "c"
    BLOCK = "b"
    FOLDER = "d"
    FIFO = "p"


_KINDS = {
    b"\0": Kind.FILE,
    b"0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK,
    b"5": Kind.FOLDER,
    b"6": Kind.FIFO,
    b"D": Kind.FOLDER,  # GNU's folder with a list of its files as data
}
_WITH_DATA = frozenset({b"\0", b"0", b"7", b"S", b"D"})
_LONG_NAMES = {b"L": b"path", b"K": b"linkpath"}
_EXTENDED = frozenset({b"x", b"X", b"g"})
_VOLUME_LABEL = b"V"


class Member(msgspec.Struct, gc=False):
    """One entry. *path* and *link* are as they stand in the archive: hostile until shown otherwise.

    *size* is the file's; *stored* counts the bytes that the archive holds of it, which differ when *segments*
    (offset, length) say where they belong. *xattrs* are by full name.
    """

    path: bytes
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes
    device: tuple[int, int]
    stored: int
    segments: Segments | None
    xattrs: dict[bytes, bytes]

    @property
    def name(self) -> str:
        """The path as text, undecodable bytes escaped."""
        return self.path.decode("utf-8", "surrogateescape")


class TarReader:
    """An iterator over the members of *source*; the data of each is read before the next, or passed over.

    Raises BadArchive for what is not a sound archive, TooLarge beyond *budget*.
    """

    def __init__(self, source: Readable, budget: Budget | None = None) -> None:
        self._source = source
        self._budget = budget or Budget()
        self._buffer = b""
        self._at = 0
        self._left = 0  # stored bytes of the present member that were not read
        self._padding = 0
        self._segments: Segments | None = None
        self._global: dict[bytes, bytes] = {}
        self._headers = 0
        self._claimed = 0
        self._ended = False

    def __iter__(self) -> Iterator[Member]:
        while (member := self.next()) is not None:
            yield member

    def next(self) -> Member | None:
        """The next member, or None at the end of the archive."""
        own: dict[bytes, bytes] = {}
        long_names: dict[bytes, bytes] = {}
        while (header := self._header()) is not None:
            if header.type in _EXTENDED:
                records = pax.parse(self._extension(header.size, pax.MAX_BYTES))
                (self._global if header.type == b"g" else own).update(records)
            elif (key := _LONG_NAMES.get(header.type)) is not None:
                raw = self._extension(header.size, self._budget.name_bytes + BLOCK)
                long_names[key] = raw.partition(b"\0")[0]
            elif header.type == _VOLUME_LABEL:
                self._left, self._padding = header.size, -header.size % BLOCK
            elif own or long_names or self._global:
                return self._member(header, {**self._global, **own, **long_names})
            else:
                return self._plain_member(header)
        if own or long_names:
            raise BadArchive("damaged archive: it ends after an extended header")
        return None

    def pieces(self) -> Iterator[tuple[int, memoryview]]:
        """The data of the present member, each piece with its offset in the file."""
        for offset, length in ((0, self._left),) if self._segments is None else self._segments:
            end = offset + length
            at = offset
            while at < end:
                piece = self._piece(end - at)
                self._left -= len(piece)
                yield at, piece
                at += len(piece)

    def read(self, limit: int) -> bytes:
        """The whole data of the present member, which is not sparse. Raises TooLarge beyond *limit* bytes."""
        if self._segments is not None or self._left > limit:
            raise TooLarge(f"archive holds a file of {self._left} bytes where at most {limit} are taken")
        count, self._left = self._left, 0
        return self._take(count)

    # -- headers

    def _header(self) -> Header | None:
        self._skip()
        if self._ended:
            return None
        block = self._block()
        if block == ZEROS:
            block = self._block()
            if block is not None and block != ZEROS:
                raise BadArchive("damaged archive: data after an end mark")
            block = None
        if block is None:
            self._ended = True
            return None
        self._headers += 1
        if self._headers > self._budget.members:
            raise TooLarge(f"archive has more than {self._budget.members} members")
        header = Header(block)
        if header.size < 0 or header.size > self._budget.stream_bytes:
            raise TooLarge(f"archive claims a file of {header.size} bytes")
        return header

    def _extension(self, size: int, limit: int) -> bytes:
        if size > limit:
            raise TooLarge(f"archive has an extended header of {size} bytes")
        self._padding = -size % BLOCK
        return self._take(size)

    def _plain_member(self, header: Header) -> Member:
        return self._build(header, header.name, header.link, header.size, _NO_XATTRS)

    def _member(self, header: Header, records: dict[bytes, bytes]) -> Member:
        """The member as extended headers change it."""
        if value := records.get(b"size"):
            header.size = pax.whole(value)
        if value := records.get(b"uid"):
            header.uid = pax.whole(value)
        if value := records.get(b"gid"):
            header.gid = pax.whole(value)
        xattrs = {key[len(pax.XATTR) :]: value for key, value in records.items() if key.startswith(pax.XATTR)}
        path = records.get(b"GNU.sparse.name") or records.get(b"path") or header.name
        member = self._build(header, path, records.get(b"linkpath") or header.link, header.size, xattrs)
        if value := records.get(b"mtime"):
            member.mtime_ns = pax.time_ns(value)
        if member.kind is Kind.FILE:
            self._sparse_by_pax(member, records)
        return member

    def _build(self, header: Header, path: bytes, link: bytes, size: int, xattrs: dict[bytes, bytes]) -> Member:
        kind = _KINDS.get(header.type)
        if kind is None:
            raise BadArchive(f"archive member {path[:80]!r} has unknown type {header.type!r}")
        stored = size if header.type in _WITH_DATA else 0
        if kind is Kind.FILE and path.endswith(b"/"):
            kind = Kind.FOLDER  # as v7 wrote them
        self._check(header, path, link)
        self._left, self._padding, self._segments = stored, -stored % BLOCK, None
        is_device = kind is Kind.CHARACTER or kind is Kind.BLOCK
        member = Member(
            path,
            kind,
            header.mode & 0o7777,
            header.uid,
            header.gid,
            stored if kind is Kind.FILE else 0,
            header.mtime * _NS,
            link,
            (number(header.major), number(header.minor)) if is_device else (0, 0),
            stored,
            None,
            xattrs,
        )
        if header.type == b"S" and kind is Kind.FILE:
            self._make_sparse(member, *sparse.old_gnu(header.block, self._take))
        self._claim(member.size)
        return member

    def _check(self, header: Header, path: bytes, link: bytes) -> None:
        budget = self._budget
        if not path or b"\0" in path or b"\0" in link:
            raise BadArchive("archive has a member with an impossible name")
        if len(path) > budget.component_bytes or len(link) > budget.component_bytes:
            longest = max(map(len, path.split(b"/")))
            if max(len(path), len(link)) > budget.name_bytes or longest > budget.component_bytes:
                raise TooLarge("archive has a member with too long a name")
        if not (0 <= header.uid <= MAX_ID and 0 <= header.gid <= MAX_ID and header.mode >= 0):
            raise BadArchive(f"archive member {path[:80]!r} has an impossible owner or mode")
        if header.size < 0 or abs(header.mtime) > MAX_SECONDS:
            raise BadArchive(f"archive member {path[:80]!r} has an impossible size or time")

    def _claim(self, size: int) -> None:
        self._claimed += size
        if self._claimed > self._budget.stream_bytes:
            raise TooLarge(f"archive claims files of {self._claimed} bytes")

    # -- sparse files

    def _sparse_by_pax(self, member: Member, records: dict[bytes, bytes]) -> None:
        if records.get(b"GNU.sparse.major"):
            if (records[b"GNU.sparse.major"], records.get(b"GNU.sparse.minor")) != (b"1", b"0"):
                raise BadArchive("archive has a sparse file of an unknown format")
            segments, taken = sparse.from_data(member.stored, self._take)
            self._left -= taken
            member.stored -= taken
            self._grow(member, segments, pax.whole(records.get(b"GNU.sparse.realsize", b"")))
        elif (text := records.get(pax.SPARSE_MAP)) is not None:
            size = records.get(b"GNU.sparse.size") or records.get(b"GNU.sparse.realsize", b"")
            self._grow(member, sparse.from_text(text), pax.whole(size))

    def _grow(self, member: Member, segments: Segments, size: int) -> None:
        before = member.size
        self._make_sparse(member, segments, size)
        self._claim(size - before)

    def _make_sparse(self, member: Member, segments: Segments, size: int) -> None:
        if size < 0 or size > self._budget.stream_bytes:
            raise TooLarge(f"archive claims a file of {size} bytes")
        sparse.check(segments, member.stored, size)
        member.size = size
        member.segments = self._segments = segments

    # -- bytes

    def _fill(self) -> bool:
        self._buffer = self._source.read(_PIECE_BYTES)
        self._at = 0
        return bool(self._buffer)

    def _block(self) -> bytes | None:
        """The next 512 bytes; None when the source ended before them."""
        at = self._at
        block = self._buffer[at : at + BLOCK]
        if len(block) == BLOCK:
            self._at = at + BLOCK
            return block
        if not block and not self._fill():
            return None
        return self._take(BLOCK)

    def _take(self, count: int) -> bytes:
        """Exactly *count* bytes."""
        at = self._at
        data = self._buffer[at : at + count]
        self._at = at + len(data)
        if len(data) == count:
            return data
        parts = [data]
        missing = count - len(data)
        while missing:
            piece = self._piece(missing)
            parts.append(bytes(piece))
            missing -= len(piece)
        return b"".join(parts)

    def _piece(self, most: int) -> memoryview:
        """Between 1 and *most* bytes."""
        if self._at == len(self._buffer) and not self._fill():
            raise BadArchive("damaged archive: it is cut short")
        piece = memoryview(self._buffer)[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def _skip(self) -> None:
        """Pass over what was not read of the present member, and its padding."""
        missing = self._left + self._padding
        self._left = self._padding = 0
        while missing:
            missing -= len(self._piece(missing))
