"""Questions to a person at a terminal."""

from __future__ import annotations

import os

from havre.cli.screen import STDIN, STDOUT, write_all


def asked(question: str) -> str:
    """The line that the user types; nothing at the end of the input."""
    write_all(STDOUT, question.encode())
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(STDIN, 1)
        if not piece:
            break
        line += piece
    return line.decode(errors="surrogateescape").rstrip("\r\n")


def asked_in_secret(question: str) -> str:
    """The same, without showing what is typed."""
    import termios

    before = termios.tcgetattr(STDIN)
    silent = list(before)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(STDIN, termios.TCSAFLUSH, silent)
    try:
        return asked(question)
    finally:
        termios.tcsetattr(STDIN, termios.TCSAFLUSH, before)
        write_all(STDOUT, b"\n")
