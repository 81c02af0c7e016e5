"""Byte ranges: `Range` of a download (RFC 9110, section 14), `Content-Range` of a chunk (distribution-spec)."""

import re
from dataclasses import dataclass
from typing import Final

from havre.registry.server.refusal import Code, Refusal

_RANGE: Final = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,15})-([0-9]{0,15})[ \t]*\Z", re.ASCII | re.IGNORECASE)
_CHUNK: Final = re.compile(r"(?:bytes[ =])?[ \t]*([0-9]{1,15})-([0-9]{1,15})(?:/(?:\*|[0-9]{1,15}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from *first* to *last*, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def parse_range(header: str, size: int) -> Span | None:
    """The part of *size* bytes that a `Range` header asks for; None where the whole is to be sent.

    Several ranges, another unit and what is no range at all are passed over, as the RFC allows. Raises
    Refusal (416) for a range that lies outside or ends before it begins.
    """
    found = _RANGE.match(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # the last so many bytes
        span = Span(max(0, size - int(found[2])), size - 1)
        unsatisfiable = int(found[2]) == 0 or size == 0
    else:
        first = int(found[1])
        span = Span(first, min(int(found[2]), size - 1) if found[2] else size - 1)
        unsatisfiable = span.last < first
    if unsatisfiable:
        raise Refusal(
            Code.RANGE_INVALID,
            f"range {header[:80]!r} is not one of {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return span


def parse_chunk(header: str) -> Span:
    """The place of a chunk in its blob: `0-99`. Raises Refusal (416)."""
    found = _CHUNK.match(header.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise Refusal(Code.RANGE_INVALID, f"invalid Content-Range: {header[:80]!r}")
    return Span(int(found[1]), int(found[2]))


def arrived(size: int) -> str:
    """The `Range` header that tells how much of an upload is there: `0-0` also for nothing, as others say it."""
    return f"0-{max(0, size - 1)}"
