"""Compressed streams: which kind by their first bytes, inflated within bounds, and deflated for those who ask."""

import bz2
import lzma
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Protocol, cast

from backports import zstd
from isal import igzip_lib, isal_zlib

from havre.content.reader import Readable
from havre.snapshots.budget import BadArchive, TooLarge

_PIECE_BYTES = 1 << 16
_MAX_STREAMS = 1_000_000
_RATIO = 200
_RATIO_FREE_BYTES = 64 << 20
_XZ_MEMORY_BYTES = 128 << 20
_ZSTD_WINDOW_LOG = 27  # 128 MiB
_GZIP_LEVEL = 2
_ZSTD_LEVEL = 3
_GZIP_CONTAINER = 31
_MAGIC_BYTES = 6
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)  # its stub says it is a value
_DAMAGE = (lzma.LZMAError, zstd.ZstdError, _ISAL_ERROR, OSError, ValueError, EOFError)


class Compression(Enum):
    """How a stream is compressed."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def detect(head: bytes) -> Compression:
    """The kind by the first six bytes; NONE for anything else."""
    if head.startswith(b"\x1f\x8b\x08"):
        return Compression.GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or _is_skippable(head):
        return Compression.ZSTD
    if head.startswith(b"\xfd7zXZ\x00"):
        return Compression.XZ
    if head.startswith(b"BZh"):
        return Compression.BZIP2
    return Compression.NONE


class Decompressed:
    """*source* without its compression, as a Readable; of several streams in a row, all.

    Raises BadArchive when it is cut, does not match its checksum or has something else behind it (zeros may follow),
    TooLarge when it inflates more than 200:1 beyond 64 MiB, or wants more than 128 MiB of window.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decoder: _Decoder | None = None
        self._streams = 0
        self._taken = 0
        self._given = 0
        self._pending = self._next_piece()
        while 0 < len(self._pending) < _MAGIC_BYTES and (more := self._next_piece()):
            self._pending += more
        self.compression = detect(self._pending)

    def read(self, size: int, /) -> bytes:
        """See Readable."""
        if self.compression is Compression.NONE:
            return self._plain(size)
        while self._decoder is not None or self._begin():
            data = self._inflate(size)
            if data:
                self._given += len(data)
                if self._given > max(_RATIO_FREE_BYTES, _RATIO * self._taken):
                    raise TooLarge(f"{self.compression.value} stream inflates more than {_RATIO} times")
                return data
        return b""

    def _inflate(self, size: int) -> bytes:
        """Some bytes, or none when there is more to do first."""
        decoder = self._decoder
        if decoder is None or decoder.eof:
            self._pending = decoder.unused_data if decoder is not None else b""
            self._decoder = None
            return b""
        given = b""
        if decoder.needs_input:
            given, self._pending = self._pending or self._next_piece(), b""
            if not given:
                raise BadArchive(f"{self.compression.value} stream is cut short")
        try:
            return decoder.decompress(given, size)
        except _DAMAGE as error:
            raise BadArchive(f"damaged {self.compression.value} stream: {error}") from error

    def _begin(self) -> bool:
        """Begin the next stream; False at the end of the source."""
        if self._streams:
            self._pending = self._pending.lstrip(b"\0")
        while len(self._pending) < _MAGIC_BYTES and (more := self._next_piece()):
            self._pending = (self._pending + more).lstrip(b"\0") if self._streams else self._pending + more
        if not self._pending:
            return False
        if detect(self._pending) is not self.compression:
            raise BadArchive(f"{self.compression.value} stream has garbage behind it")
        self._streams += 1
        if self._streams > _MAX_STREAMS:
            raise TooLarge(f"more than {_MAX_STREAMS} {self.compression.value} streams in a row")
        self._decoder = _DECODERS[self.compression]()
        return True

    def _plain(self, size: int) -> bytes:
        if self._pending:
            data, self._pending = self._pending[:size], self._pending[size:]
            return data
        return self._source.read(size)

    def _next_piece(self) -> bytes:
        piece = self._source.read(_PIECE_BYTES)
        self._taken += len(piece)
        return piece


def compressed(pieces: Iterable[bytes], kind: Compression) -> Iterator[bytes]:
    """*pieces* compressed; the same bytes from the same input each time. gzip, zstd or none."""
    if kind is Compression.NONE:
        yield from pieces
        return
    encoder = _ENCODERS[kind]()
    for piece in pieces:
        if out := encoder.compress(piece):
            yield out
    yield encoder.flush()


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _is_skippable(head: bytes) -> bool:
    """Whether a zstd frame of user data begins here, as other tools hide tables of contents in (RFC 8878, 3.1.2)."""
    return len(head) >= 4 and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"


def _zstd_decoder() -> _Decoder:
    decoder: _Decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
    return decoder


def _gzip_decoder() -> _Decoder:
    decoder: _Decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return decoder


_DECODERS: dict[Compression, Callable[[], _Decoder]] = {
    Compression.GZIP: _gzip_decoder,
    Compression.ZSTD: _zstd_decoder,
    Compression.XZ: lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
    Compression.BZIP2: bz2.BZ2Decompressor,
}
_ENCODERS: dict[Compression, Callable[[], _Encoder]] = {
    Compression.GZIP: lambda: isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_CONTAINER),
    Compression.ZSTD: lambda: zstd.ZstdCompressor(level=_ZSTD_LEVEL),
}
