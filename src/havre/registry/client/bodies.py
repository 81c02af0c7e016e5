"""Bodies of requests: bytes that are at hand, or a stream that can be opened again for another attempt."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Streamed:
    """*pieces* opens the stream; *size* is its length, or None where it shows only at the end."""

    pieces: Callable[[], AsyncIterator[bytes]]
    size: int | None


Body: TypeAlias = bytes | Streamed
