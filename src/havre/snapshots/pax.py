"""Pax extended headers: `length key=value` lines (pax(1), "pax Extended Header")."""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from havre.snapshots.budget import BadArchive
from havre.snapshots.tar_header import MAX_SECONDS

MAX_BYTES = 1 << 20
XATTR = b"SCHILY.xattr."
_LIBARCHIVE_XATTR = b"LIBARCHIVE.xattr."
_SPARSE_OFFSET, _SPARSE_LENGTH = b"GNU.sparse.offset", b"GNU.sparse.numbytes"
SPARSE_MAP = b"GNU.sparse.map"
_MAX_LENGTH_DIGITS = 8
_MAX_DIGITS = 19
_NS_DIGITS = 9
_NS = 1_000_000_000


def parse(data: bytes) -> dict[bytes, bytes]:
    """The records of one extended header; an empty value takes back what a global header said. Raises BadArchive.

    The repeated keys of GNU's sparse format 0.0 come out as the one key of format 0.1.
    """
    records: dict[bytes, bytes] = {}
    sparse: list[bytes] = []
    at = 0
    while at < len(data):
        key, value, at = _record(data, at)
        if key in {_SPARSE_OFFSET, _SPARSE_LENGTH}:
            # offsets and lengths take turns, beginning with an offset
            if (key == _SPARSE_LENGTH) != len(sparse) % 2:
                raise BadArchive("damaged archive: sparse map out of order")
            sparse.append(value)
        elif key.startswith(_LIBARCHIVE_XATTR):
            records.setdefault(*_libarchive_xattr(key, value))
        else:
            records[key] = value
    if sparse:
        records[SPARSE_MAP] = b",".join(sparse)
    return records


def _record(data: bytes, at: int) -> tuple[bytes, bytes, int]:
    space = data.find(b" ", at, at + _MAX_LENGTH_DIGITS + 1)
    digits = data[at:space]
    if space < 0 or not digits.isdigit():
        raise BadArchive("damaged archive: extended header without a length")
    end = at + int(digits)
    key, equals, value = data[space + 1 : end - 1].partition(b"=")
    if end > len(data) or end <= space + 1 or data[end - 1] != 0x0A or not equals or not key or b"\0" in key:
        raise BadArchive("damaged archive: bad record in an extended header")
    return key, value, end


def _libarchive_xattr(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    name = unquote_to_bytes(key.removeprefix(_LIBARCHIVE_XATTR))
    try:
        content = base64.b64decode(value + b"=" * (-len(value) % 4))
    except binascii.Error as error:
        raise BadArchive(f"damaged archive: bad extended attribute: {error}") from error
    if not name or b"\0" in name:
        raise BadArchive("damaged archive: bad name of an extended attribute")
    return XATTR + name, content


def whole(value: bytes) -> int:
    """A number of digits alone. Raises BadArchive."""
    if value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    raise BadArchive(f"damaged archive: {value[:40]!r} is not a number")


def time_ns(value: bytes) -> int:
    """Decimal seconds, with a fraction and a sign perhaps, in nanoseconds (rounded down). Raises BadArchive."""
    digits, _, fraction = value.removeprefix(b"-").partition(b".")
    seconds = whole(digits or b"x")
    if seconds > MAX_SECONDS or (fraction and not fraction.isdigit()):
        raise BadArchive(f"damaged archive: {value[:40]!r} is not a time")
    nanos = seconds * _NS + int(fraction[:_NS_DIGITS].ljust(_NS_DIGITS, b"0"))
    return -nanos if value.startswith(b"-") else nanos
