"""Identifiers as Docker makes them: 256 random bits in hexadecimal, cut to twelve digits for people."""

import os

ID_LENGTH = 64
SHORT_LENGTH = 12
_HEX = frozenset("0123456789abcdef")


def new_id() -> str:
    """A fresh 64-digit id whose first twelve digits hold a letter, so that no tool reads them as a number."""
    while True:
        fresh = os.urandom(32).hex()
        if not fresh[:SHORT_LENGTH].isdecimal():
            return fresh


def short(identifier: str) -> str:
    """The first twelve digits, without the algorithm of a digest."""
    return identifier.removeprefix("sha256:")[:SHORT_LENGTH]


def is_id(text: str) -> bool:
    """Whether *text* is a whole id."""
    return len(text) == ID_LENGTH and set(text) <= _HEX


def is_id_prefix(text: str) -> bool:
    """Whether *text* can begin an id."""
    return 0 < len(text) <= ID_LENGTH and set(text) <= _HEX
