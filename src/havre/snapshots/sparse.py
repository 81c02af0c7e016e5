"""Maps of sparse files: where the stored bytes of a member belong (GNU tar manual, "Storing Sparse Files")."""

from collections.abc import Callable, Iterator

from havre.snapshots.budget import BadArchive
from havre.snapshots.pax import whole
from havre.snapshots.tar_header import BLOCK, number

Segments = tuple[tuple[int, int], ...]

_MAX_SEGMENTS = 1 << 17
_ENTRY = 24
_HALF = 12


def old_gnu(header: bytes, take: Callable[[int], bytes]) -> tuple[Segments, int]:
    """The map of a type `S` member and its real size; *take* gives the blocks that go on with the map."""
    segments = list(_entries(header[386:482]))
    extended = header[482]
    while extended:
        block = take(BLOCK)
        segments += _entries(block[: 21 * _ENTRY])
        extended = block[21 * _ENTRY]
        _bound(len(segments))
    return tuple(segments), number(header[483:495])


def from_text(text: bytes) -> Segments:
    """The map of formats 0.0 and 0.1: `offset,length,offset,length…`."""
    if not text:
        return ()
    numbers = text.split(b",")
    if len(numbers) % 2:
        raise BadArchive("damaged archive: odd sparse map")
    return _pairs([whole(value) for value in numbers])


def from_data(stored: int, take: Callable[[int], bytes]) -> tuple[Segments, int]:
    """The map of format 1.0, which begins the member's own data, and how many stored bytes it took."""
    lines = _Lines(stored, take)
    count = lines.next()
    _bound(count)
    return _pairs([lines.next() for _ in range(2 * count)]), lines.taken


def check(segments: Segments, stored: int, size: int) -> None:
    """Raise BadArchive unless the map rises, stays within *size* and accounts for all *stored* bytes."""
    end = 0
    for offset, length in segments:
        if offset < end or length < 0 or offset + length > size:
            raise BadArchive("damaged archive: impossible sparse map")
        end = offset + length
    if sum(length for _, length in segments) != stored:
        raise BadArchive("damaged archive: sparse map does not fit its data")


class _Lines:
    def __init__(self, stored: int, take: Callable[[int], bytes]) -> None:
        self._stored = stored
        self._take = take
        self._rest = b""
        self.taken = 0

    def next(self) -> int:
        while b"\n" not in self._rest:
            if self.taken + BLOCK > self._stored or len(self._rest) > BLOCK:
                raise BadArchive("damaged archive: cut sparse map")
            self._rest += self._take(BLOCK)
            self.taken += BLOCK
        line, _, self._rest = self._rest.partition(b"\n")
        return whole(line)


def _entries(raw: bytes) -> Iterator[tuple[int, int]]:
    for at in range(0, len(raw), _ENTRY):
        offset, length = raw[at : at + _HALF], raw[at + _HALF : at + _ENTRY]
        if length[0] == 0:
            return
        yield number(offset), number(length)


def _pairs(numbers: list[int]) -> Segments:
    _bound(len(numbers) // 2)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _bound(count: int) -> None:
    if count > _MAX_SEGMENTS:
        raise BadArchive(f"archive has a file of more than {_MAX_SEGMENTS} pieces")
