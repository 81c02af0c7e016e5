"""Ask before something is destroyed."""

from __future__ import annotations

import os

from havre.cli.screen import STDERR, STDIN, write_all


def confirmed(warning: str) -> bool:
    """Whether the user answers y to the warning; no answer is no."""
    return agreed(f"WARNING! {warning}\nAre you sure you want to continue?")


def agreed(question: str) -> bool:
    """Whether the user answers y; no answer is no."""
    write_all(STDERR, f"{question} [y/N] ".encode())
    answer = b""
    while not answer.endswith(b"\n"):
        byte = os.read(STDIN, 1)
        if not byte:
            break
        answer += byte
    return answer.strip().lower() == b"y"
