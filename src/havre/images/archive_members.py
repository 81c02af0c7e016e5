"""The files of an image archive by their path, read in one pass: big ones become blobs, small ones stay in memory.

Nothing is written under a name that the archive chose, and links are followed in this table only: whatever the
archive says, nothing outside it can be read or reached.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from havre.content.ingest import Stored
from havre.content.reader import Readable
from havre.images.candidate import Arrival
from havre.oci.digest import Digest
from havre.snapshots.budget import BadArchive
from havre.snapshots.compression import Decompressed
from havre.snapshots.tar import Kind, Member, TarReader

_SMALL_BYTES = 128 << 10
_ALL_SMALL_BYTES = 64 << 20
_MAX_HOPS = 16
_MAX_REST_BYTES = 16 << 20
_KINDS = {
    Kind.CHARACTER: "a character device",
    Kind.BLOCK: "a block device",
    Kind.FOLDER: "a folder",
    Kind.FIFO: "a FIFO",
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Link:
    target: str


_Entry = bytes | Stored | _Link | Kind


class Members:
    """The table. A path given twice is what came last."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival
        self._entries: dict[str, _Entry] = {}
        self._small = 0

    def take(self, source: Readable) -> None:
        """Read a whole archive, compressed or not. Raises BadArchive for what is none."""
        stream = Decompressed(source)
        reader = TarReader(stream)
        for member in reader:
            path = _inside(member.name)
            if path:
                self._entries[path] = self._entry(path, member, reader)
        self._read_rest(stream)

    def has(self, path: str) -> bool:
        """Whether the archive has a file or a link at *path*."""
        return isinstance(self._entries.get(path), bytes | Stored | _Link)

    def read(self, path: str, limit: int) -> bytes:
        """The file at *path*. Raises BadArchive when there is none, or one of more than *limit* bytes."""
        entry = self._file(path)
        size = len(entry) if isinstance(entry, bytes) else entry.size
        if size > limit:
            raise BadArchive(f"invalid archive: {_shown(path)} of {size} bytes is larger than {limit}")
        return entry if isinstance(entry, bytes) else self._arrival.read_bytes(entry.digest, limit)

    def decode(self, path: str, kind: type[_T], limit: int) -> _T:
        """The JSON document at *path*. Raises BadArchive."""
        try:
            return msgspec.json.decode(self.read(path, limit), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadArchive(f"invalid archive: {_shown(path)}: {error}") from error

    def blob(self, path: str) -> Stored:
        """The file at *path* as a blob of the store. Raises BadArchive when there is none."""
        entry = self._file(path)
        if isinstance(entry, bytes):
            return Stored(self._arrival.ingest_bytes(entry), len(entry))
        return entry

    def head(self, path: str, limit: int) -> bytes:
        """The first bytes of the file at *path*."""
        entry = self._file(path)
        if isinstance(entry, bytes):
            return entry[:limit]
        return self._arrival.read_head(entry.digest, limit)

    def _read_rest(self, stream: Readable) -> None:
        """What follows the end mark is filling; its compression's checksum stands behind it."""
        left = _MAX_REST_BYTES
        while left > 0 and (piece := stream.read(_SMALL_BYTES)):
            left -= len(piece)

    def _entry(self, path: str, member: Member, reader: TarReader) -> _Entry:
        if member.kind is Kind.SYMLINK:
            target = member.link.decode("utf-8", "surrogateescape")
            return _Link(target if target.startswith("/") else posixpath.join(posixpath.dirname(path), target))
        if member.kind is Kind.LINK:
            return _Link(member.link.decode("utf-8", "surrogateescape"))
        if member.kind is not Kind.FILE:
            return member.kind
        if member.segments is not None:
            raise BadArchive(f"invalid archive: {_shown(path)} is a sparse file")
        if member.size <= _SMALL_BYTES and self._small + member.size <= _ALL_SMALL_BYTES:
            self._small += member.size
            return reader.read(_SMALL_BYTES)
        return self._arrival.ingest(_MemberData(reader), size=member.size)

    def _file(self, path: str) -> bytes | Stored:
        """What stands at *path*, or where its links lead."""
        where = path
        for _ in range(_MAX_HOPS):
            inside = _inside(where)
            if inside is None:
                raise BadArchive(f"invalid archive: {_shown(path)} leads out of the archive")
            entry = self._entries.get(inside)
            if isinstance(entry, bytes | Stored):
                return entry
            if entry is None:
                raise BadArchive(f"invalid archive: {_shown(path)} is not in it")
            if isinstance(entry, Kind):
                raise BadArchive(f"invalid archive: {_shown(path)} is {_KINDS[entry]}, not a file")
            where = entry.target
        raise BadArchive(f"invalid archive: {_shown(path)} is a link that leads nowhere")


class _MemberData:
    """The data of the reader's present member as a Readable."""

    def __init__(self, reader: TarReader) -> None:
        self._pieces: Iterator[tuple[int, memoryview]] = reader.pieces()

    def read(self, _size: int, /) -> bytes:
        """See Readable; the reader's own pieces are smaller than whatever is asked for."""
        for _, piece in self._pieces:
            return bytes(piece)
        return b""


def blob_path(digest: Digest) -> str:
    """Where an image layout keeps a blob (image-spec, image-layout.md)."""
    return f"blobs/{digest.algorithm}/{digest.value}"


def _inside(path: str) -> str | None:
    """*path* without empty and dot parts; None where it is absolute or climbs out of the archive."""
    if path.startswith("/"):
        return None
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not kept:
                return None
            kept.pop()
        elif part not in {"", "."}:
            kept.append(part)
    return "/".join(kept)


def _shown(path: str) -> str:
    return repr(path[:160])
