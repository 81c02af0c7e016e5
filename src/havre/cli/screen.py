"""The three standard streams of a command, as bytes: text out, errors out, and whether a person is there."""

from __future__ import annotations

import os

STDIN, STDOUT, STDERR = 0, 1, 2


class Screen:
    """Writes lines at once and in order; a reader that went away ends the command quietly (BrokenPipeError)."""

    __slots__ = ("program",)

    def __init__(self, program: str = "havre") -> None:
        self.program = program

    def line(self, text: str = "") -> None:
        """One line on standard output."""
        self.write(text.encode(errors="surrogateescape") + b"\n")

    def error(self, text: str) -> None:
        """One line on standard error."""
        write_all(STDERR, text.encode(errors="surrogateescape") + b"\n")

    def write(self, data: bytes) -> None:
        """Bytes as they are on standard output."""
        write_all(STDOUT, data)

    @staticmethod
    def is_terminal(stream: int = STDOUT) -> bool:
        """Whether the stream is a terminal."""
        return os.isatty(stream)


def write_all(descriptor: int, data: bytes) -> None:
    """write(2) until everything is written."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
