"""Parts of bodies: where an answer to a Range begins (RFC 9110, 14.4), and how far an upload has come."""

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.registry.client.errors import BadAnswer
from havre.registry.client.exchange import Reply


def offset_of(reply: Reply, asked: int, size: int, what: str) -> int:
    """The offset of the first byte in *reply*: *asked*, or 0 from a server that knows no ranges. Raises BadAnswer.

    An answer that already says it has another length than *size* is refused before its first byte.
    """
    length = reply.headers.get("content-length", "")
    if reply.status == 206:
        text = reply.headers.get("content-range", "").removeprefix("bytes ").partition("/")[0]
        first = text.partition("-")[0]
        if not first.isdecimal() or len(first) > 18 or int(first) > asked:
            raise BadAnswer(f"{what}: asked for bytes from {asked}, got {text[:64]!r}")
        return int(first)
    if length.isdecimal() and length != str(size):
        raise BadAnswer(f"{what} has {length[:20]} bytes, not the {size} promised")
    return 0


def received_of(reply: Reply) -> int:
    """How many bytes of an upload the registry has: Range `0-99` is a hundred, as `0-0` is none or one; -1: unknown."""
    text = reply.headers.get("range", "").removeprefix("bytes=")
    first, dash, last = text.partition("-")
    try:
        end = parse_int(last, what="Range")
    except InvalidInput:
        return -1
    if first != "0" or not dash:
        return -1
    return end + 1 if end else 0
