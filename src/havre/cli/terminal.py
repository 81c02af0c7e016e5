"""The user's terminal: raw mode while a container has it, its size, and the keys that let go of it."""

from __future__ import annotations

import os
import termios

from havre.client.errors import ClientError

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"
_CONTROLS = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


class RawTerminal:
    """Raw mode (cfmakeraw of termios(3)) for the length of a `with`; nothing where *descriptor* is no terminal."""

    __slots__ = ("_before", "_descriptor")

    def __init__(self, descriptor: int, *, wanted: bool) -> None:
        self._descriptor = descriptor
        self._before: list[object] | None = None
        if wanted and os.isatty(descriptor):
            self._before = termios.tcgetattr(descriptor)

    def __enter__(self) -> None:
        if self._before is None:
            return
        mode = termios.tcgetattr(self._descriptor)
        mode[0] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
            | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        mode[1] &= ~termios.OPOST
        mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]  # its own shape


def terminal_size(descriptor: int) -> tuple[int, int]:
    """Rows and columns; zeros where there is no terminal."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return 0, 0
    return size.lines, size.columns


def parse_detach_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q` as bytes. Raises ClientError for what is no key."""
    keys = bytearray()
    for name in text.split(",") if text else ():
        letter = name.removeprefix("ctrl-")
        if len(name) == 1:
            keys.append(ord(name) & 0xFF)
        elif len(letter) == 1 and "a" <= letter.lower() <= "z":
            keys.append(ord(letter.lower()) - ord("a") + 1)
        elif letter in _CONTROLS:
            keys.append(_CONTROLS[letter])
        else:
            raise ClientError(f"invalid detach keys ({text}): Unknown character: '{name}'")
    return bytes(keys)


class DetachKeys:
    """Finds the keys in what is typed, across reads; what only began like them goes on to the container."""

    __slots__ = ("_keys", "_matched", "found")

    def __init__(self, keys: bytes) -> None:
        self._keys, self._matched, self.found = keys, 0, False

    def feed(self, data: bytes) -> bytes:
        """The part of *data* (and of what was held back) that goes on."""
        if not self._keys:
            return data
        out = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self.found = True
                    return bytes(out)
                continue
            out += self._keys[: self._matched]
            self._matched = 1 if byte == self._keys[0] else 0
            if not self._matched:
                out.append(byte)
        return bytes(out)
