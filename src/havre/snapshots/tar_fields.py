"""One member's header for writing: ustar where it fits, a pax extended header where it does not."""

import struct
from functools import lru_cache

from havre.snapshots.tar_header import BLOCK, byte_sum

_PACK = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_MAX_SIZE = 8**11 - 1
_MAX_SMALL = 8**7 - 1
_NAME, _PREFIX = 100, 155
_NS = 1_000_000_000


def header(
    kind: bytes, path: bytes, numbers: "Numbers", link: bytes = b"", xattrs: dict[bytes, bytes] | None = None
) -> bytes:
    """The blocks that stand before the data of a member; the same for the same arguments."""
    records: dict[bytes, bytes] = {}
    prefix, name = _split(path)
    if not name:
        records[b"path"] = path
        name = path[:_NAME]
    if len(link) > _NAME:
        records[b"linkpath"] = link
    if numbers.size > _MAX_SIZE:
        records[b"size"] = b"%d" % numbers.size
    if numbers.uid > _MAX_SMALL:
        records[b"uid"] = b"%d" % numbers.uid
    if numbers.gid > _MAX_SMALL:
        records[b"gid"] = b"%d" % numbers.gid
    seconds = numbers.mtime_ns // _NS
    if numbers.mtime_ns % _NS or not 0 <= seconds <= _MAX_SIZE:
        records[b"mtime"] = _decimal(numbers.mtime_ns)
    if xattrs:
        for key, value in sorted(xattrs.items()):
            records[b"SCHILY.xattr." + key] = value
    blocks = _extended(path, records) if records else b""
    return blocks + _block(kind, prefix, name, numbers, link[:_NAME])


class Numbers:
    """The numeric fields of a header."""

    __slots__ = ("device", "gid", "mode", "mtime_ns", "size", "uid")

    def __init__(self, mode: int = 0, uid: int = 0, gid: int = 0, size: int = 0, mtime_ns: int = 0) -> None:
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime_ns = mtime_ns
        self.device = (0, 0)


def _split(path: bytes) -> tuple[bytes, bytes]:
    """Prefix and name; no name when only an extended header can hold the path."""
    if not path.isascii():
        # Raw bytes in a ustar header have no character set; pax says UTF-8, and readers take any bytes there.
        return b"", b""
    if len(path) <= _NAME:
        return b"", path
    cut = path.rfind(b"/", 0, _PREFIX + 1)
    if cut <= 0 or not 0 < len(path) - cut - 1 <= _NAME:
        return b"", b""
    return path[:cut], path[cut + 1 :]


def _extended(path: bytes, records: dict[bytes, bytes]) -> bytes:
    data = b"".join(_record(key, value) for key, value in records.items())
    last = path.rstrip(b"/").rpartition(b"/")[2]
    name = b"PaxHeaders.0/" + bytes(byte if 0x20 <= byte < 0x7F else 0x5F for byte in last[:80])
    return _block(b"x", b"", name, Numbers(0o644, size=len(data)), b"") + data + bytes(-len(data) % BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(b"%d" % rest)
    length = rest + len(b"%d" % length)  # the digits count themselves
    return b"%d %s=%s\n" % (length, key, value)


def _block(kind: bytes, prefix: bytes, name: bytes, numbers: Numbers, link: bytes) -> bytes:
    seconds = numbers.mtime_ns // _NS
    major, minor = numbers.device
    raw = _PACK.pack(
        name,
        _small(numbers.mode),
        _small(min(numbers.uid, _MAX_SMALL)),
        _small(min(numbers.gid, _MAX_SMALL)),
        b"%011o" % (numbers.size if numbers.size <= _MAX_SIZE else 0),
        b"%011o" % (seconds if 0 <= seconds <= _MAX_SIZE else 0),
        b" " * 8,
        kind,
        link,
        b"ustar\x0000",
        b"",
        b"",
        _small(major),
        _small(minor),
        prefix,
    )
    return b"%b%06o\0 %b" % (raw[:148], byte_sum(raw), raw[156:])


@lru_cache(1024)
def _small(value: int) -> bytes:
    return b"%07o" % value


def _decimal(time_ns: int) -> bytes:
    sign, value = (b"-", -time_ns) if time_ns < 0 else (b"", time_ns)
    seconds, nanos = divmod(value, _NS)
    return sign + (b"%d.%09d" % (seconds, nanos)).rstrip(b"0").rstrip(b".")
