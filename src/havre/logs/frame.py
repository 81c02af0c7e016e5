"""The 8-byte header that tells stdout from stderr when both share a connection: stream, three zeros, length."""

import struct

STDIN, STDOUT, STDERR = 0, 1, 2
HEADER_SIZE = 8

_HEADER = struct.Struct(">BxxxI")


def header(stream: int, size: int) -> bytes:
    """The header of a frame of *size* bytes of *stream*."""
    return _HEADER.pack(stream, size)


def frame(stream: int, data: bytes) -> bytes:
    """*data* as one frame."""
    return _HEADER.pack(stream, len(data)) + data


def parse_header(raw: bytes) -> tuple[int, int]:
    """(stream, size) of a header of eight bytes. Raises ValueError for anything else."""
    if len(raw) != HEADER_SIZE or raw[1:4] != b"\0\0\0" or raw[0] > STDERR:
        raise ValueError(f"not a stream header: {raw[:16]!r}")
    stream, size = _HEADER.unpack(raw)
    return stream, size
