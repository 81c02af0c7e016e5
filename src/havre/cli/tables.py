"""Tables as Docker's: cells left-aligned, at least ten wide, three spaces between, the last one not padded."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_GAP = 3


def table(rows: Iterable[Sequence[str]], *, least: int = 10) -> list[str]:
    """One line a row."""
    held = [list(row) for row in rows]
    widths = [0] * max(map(len, held), default=0)
    for row in held:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths[column], display_width(cell) + _GAP, least)
    return [_line(row, widths) for row in held]


def display_width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def ellipsis(text: str, width: int) -> str:
    """At most *width* characters, the last one `…` where some were cut."""
    if len(text) <= width:
        return text
    return text[: width - 1] + "…" if width > 1 else text[:width]


def clean(text: str) -> str:
    """No control characters: what a container named itself must not drive the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - display_width(cell)) for cell, width in zip(row[:-1], widths, strict=False)]
    return "".join((*padded, *row[-1:]))
