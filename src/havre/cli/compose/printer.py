"""Output of many containers on one screen: whole lines, each behind the name of who said it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from msgspec import Struct

from havre.cli.screen import STDERR, STDOUT, write_all

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_LONGEST_LINE = 1 << 16


class Style(Struct, frozen=True):
    """How lines are shown; *timestamps* are the moments at which they came."""

    prefix: bool = True
    colours: bool = False
    timestamps: bool = False


class Printer:
    """Takes bytes from several threads. Until `release` everything is kept back."""

    def __init__(self, style: Style, *, held: bool = False) -> None:
        self._style = style
        self._lock = threading.Lock()
        self._order: dict[str, int] = {}
        self._width = 0
        self._parts: dict[tuple[str, int], bytes] = {}
        self._held: list[tuple[int, bytes]] | None = [] if held else None

    def know(self, names: list[str]) -> None:
        """Names that may speak: the prefixes are aligned for them."""
        with self._lock:
            for name in names:
                self._order.setdefault(name, len(self._order))
            self._width = max(map(len, self._order), default=0)

    def release(self) -> None:
        """Show what was kept back, and everything from now on."""
        with self._lock:
            held, self._held = self._held or [], None
            for stream, data in held:
                write_all(stream, data)

    def feed(self, name: str, data: bytes, stream: int = STDOUT) -> None:
        """Some bytes that *name* said on *stream*; lines appear once they are whole."""
        with self._lock:
            text = self._parts.pop((name, stream), b"") + data
            *lines, rest = text.split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            if rest:
                self._parts[name, stream] = rest
            if lines:
                self._put(stream, b"".join(self._line(name, line) for line in lines))

    def end(self, name: str) -> None:
        """*name* will say no more: a line without its end is shown, too."""
        with self._lock:
            for stream in (STDOUT, STDERR):
                rest = self._parts.pop((name, stream), b"")
                if rest:
                    self._put(stream, self._line(name, rest))

    def remark(self, name: str, text: str) -> None:
        """Something about *name*."""
        with self._lock:
            self._put(STDOUT, f"{self._paint(name, name)} {text}\n".encode())

    def _line(self, name: str, line: bytes) -> bytes:
        line = line.removesuffix(b"\r")
        if self._style.timestamps:
            line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} ".encode() + line
        if not self._style.prefix:
            return line + b"\n"
        return self._paint(name, f"{name:<{self._width}}  | ").encode() + line + b"\n"

    def _paint(self, name: str, text: str) -> str:
        if not self._style.colours:
            return text
        colour = _COLOURS[self._order.get(name, 0) % len(_COLOURS)]
        return f"\x1b[{colour}m{text}\x1b[0m"

    def _put(self, stream: int, data: bytes) -> None:
        if self._held is not None:
            self._held.append((stream, data))
        else:
            write_all(STDOUT if stream == STDOUT else STDERR, data)
