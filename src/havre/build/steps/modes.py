"""Modes of `--chmod`: octal, or symbolic as chmod(1) takes them."""

import re
import stat
from collections.abc import Callable

from havre.build.model import BuildFailed

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*|[-+=][ugo])+)\Z", re.ASCII)
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)", re.ASCII)
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


def parse_mode(text: str) -> Callable[[int], int] | None:
    """What makes the new mode of the present one (kind included); None for no text. Raises BuildFailed."""
    if not text:
        return None
    if text.isascii() and text.isdigit():
        if len(text) > 5 or not set(text) <= set("01234567"):
            raise BuildFailed(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
        fixed = int(text, 8)
        if fixed > 0o7777:
            raise BuildFailed(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
        return lambda _: fixed
    clauses = [_CLAUSE.match(clause) for clause in text.split(",")]
    if not all(clauses):
        raise BuildFailed(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")
    steps = [(found.group(1), found.group(2)) for found in clauses if found is not None]

    def change(mode: int) -> int:
        is_folder = stat.S_ISDIR(mode)
        mode = stat.S_IMODE(mode)
        for who, actions in steps:
            for sign, what in _ACTION.findall(actions):
                mode = _changed(mode, who or "a", sign, what, is_folder=is_folder)
        return mode

    return change


def _changed(mode: int, who: str, sign: str, what: str, *, is_folder: bool) -> int:
    classes = "ugo" if "a" in who else who
    bits = _permissions(mode, what, is_folder=is_folder)
    mask = sum(bits << _SHIFTS[one] for one in classes)
    if "s" in what:
        mask |= (stat.S_ISUID if "u" in classes else 0) | (stat.S_ISGID if "g" in classes else 0)
    if "t" in what:
        mask |= stat.S_ISVTX
    if sign == "+":
        return mode | mask
    if sign == "-":
        return mode & ~mask
    kept = sum(7 << _SHIFTS[one] for one in classes)
    return mode & ~kept | mask


def _permissions(mode: int, what: str, *, is_folder: bool) -> int:
    if what in _SHIFTS:
        return mode >> _SHIFTS[what] & 7
    bits = sum(_BITS.get(letter, 0) for letter in set(what))
    if "X" in what and (is_folder or mode & 0o111):
        bits |= 1
    return bits
