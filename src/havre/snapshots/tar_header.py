"""One 512-byte tar header, as v7, ustar, GNU, star and pax write it.

pax(1), "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

import struct
import zlib
from functools import lru_cache

from havre.snapshots.budget import BadArchive

BLOCK = 512
ZEROS = bytes(BLOCK)
POSIX_MAGIC = b"ustar\x00"
STAR_TRAILER = b"tar\x00"
MAX_ID = 2**32 - 2  # 2^32 - 1 means "leave it" to chown(2)
MAX_SECONDS = 2**55

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s32x32x8s8s155s8x4s")


class Header:
    """The raw fields of a header whose checksum is right."""

    __slots__ = ("block", "gid", "link", "major", "minor", "mode", "mtime", "name", "size", "type", "uid")

    def __init__(self, block: bytes) -> None:
        name, mode, uid, gid, size, mtime, checksum, kind, link, magic, major, minor, prefix, trailer = _FIELDS.unpack(
            block
        )
        _check(block, checksum)
        name = name.partition(b"\0")[0]
        # In GNU's own format other things stand where ustar has the prefix; star cuts it to make room for times.
        if magic[:6] == POSIX_MAGIC and prefix[0]:
            head = (prefix[:131] if trailer == STAR_TRAILER else prefix).partition(b"\0")[0]
            name = head + b"/" + name
        self.block = block
        self.name = name
        self.mode = small_number(mode)
        self.uid = small_number(uid)
        self.gid = small_number(gid)
        self.size = number(size)
        self.mtime = number(mtime)
        self.type = kind
        self.link = link.partition(b"\0")[0]
        self.major = major
        self.minor = minor


def number(field: bytes) -> int:
    """A numeric field: octal digits, or base 256 when the first bit is set. Raises BadArchive."""
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    text = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    if not text:
        return 0
    try:
        if text.isdigit():  # int() takes signs and underscores too
            return int(text, 8)
    except ValueError:
        pass
    raise BadArchive(f"damaged archive: {field!r} is not a number")


small_number = lru_cache(1024)(number)


def byte_sum(block: bytes) -> int:
    """The sum of the bytes of one block.

    Adler-32's low half is one more than that sum modulo 65521, at the speed of C; 512 bytes of ASCII are never over it.
    """
    return (zlib.adler32(block) & 0xFFFF) - 1 if block.isascii() else sum(block)


def _check(block: bytes, field: bytes) -> None:
    stored = number(field)
    blanked = 256 - sum(field)  # the checksum's own bytes are taken as spaces
    if byte_sum(block) + blanked == stored:
        return
    signed = sum(block) - 256 * sum(byte >> 7 for byte in block[:148] + block[156:]) + blanked
    if signed != stored:  # some historic programs summed signed bytes
        raise BadArchive("damaged archive: wrong header checksum")
