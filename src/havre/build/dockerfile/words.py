"""How the words of an instruction are told apart, by the rules of its keyword; quotes and variables stay in them."""

import json
import re
from dataclasses import dataclass
from typing import Final

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.nodes import Pair
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.spaces import is_space, strip, strip_left

BLANKS: Final = re.compile(r"[\t\v\f\r ]+")


@dataclass(frozen=True, slots=True)
class Line:
    """An instruction cut in three: its keyword, its flags without quotes, and the rest."""

    keyword: str
    flags: tuple[str, ...]
    rest: str


def cut_line(text: str, escape: str) -> Line:
    """Keyword, flags (`--name…`, up to the first other word or `--`) and the rest of *text*."""
    keyword, *more = BLANKS.split(strip(text), maxsplit=1)
    if not more:
        return Line(keyword, (), "")
    flags, position = _flags(more[0], escape)
    return Line(keyword, tuple(flags), strip(more[0][position:]))


def _flags(text: str, escape: str) -> tuple[list[str], int]:
    flags: list[str] = []
    position = 0
    while True:
        while position < len(text) and is_space(text[position]):
            position += 1
        if not text.startswith("--", position):
            return flags, position
        flag, position = _flag(text, position, escape)
        if flag == "--":
            return flags, position
        flags.append(flag)


def _flag(text: str, position: int, escape: str) -> tuple[str, int]:
    """The flag at *position* without its quotes and escapes, and the place behind it."""
    out: list[str] = []
    quote = ""
    while position < len(text):
        sign = text[position]
        if not quote and is_space(sign):
            break
        position += 1
        if sign == escape:
            out.append(text[position : position + 1])
            position += 1
        elif sign == quote:
            quote = ""
        elif not quote and sign in "'\"":
            quote = sign
        else:
            out.append(sign)
    return "".join(out), min(position, len(text))


def blank_words(text: str) -> tuple[str, ...]:
    """The words between blanks; quotes mean nothing."""
    return tuple(BLANKS.split(text)) if text else ()


def quoted_words(text: str, escape: str) -> list[str]:
    """The words between spaces; quotes and escapes hold a word together and stay in it."""
    words: list[str] = []
    position = 0
    while position < len(text):
        if is_space(text[position]):
            position += 1
            continue
        word, position = _quoted_word(text, position, escape)
        words += [word] if word else []
    return words


def _quoted_word(text: str, start: int, escape: str) -> tuple[str, int]:
    """The word at *start*, without an escape sign that has nothing to escape, and the place behind it."""
    position = start
    quote = ""
    while position < len(text):
        sign = text[position]
        if not quote and is_space(sign):
            break
        if sign == escape and quote != "'":
            if position + 1 == len(text):
                return text[start:position], len(text)
            position += 2
            continue
        if sign in "'\"" and quote in {"", sign}:
            quote = "" if quote else sign
        position += 1
    return text[start:position], position


def pairs(keyword: str, text: str, escape: str) -> tuple[Pair, ...]:
    """`name=value …`, or the old form `name rest of the line`. Raises DockerfileError."""
    words = quoted_words(text, escape)
    if not words:
        return ()
    if "=" not in words[0]:
        name, *value = BLANKS.split(text, maxsplit=1)
        if not value:
            raise DockerfileError(f"{keyword} must have two arguments")
        return (Pair(name, value[0], legacy=True),)
    for word in words:
        if "=" not in word:
            raise DockerfileError(f"Syntax error - can't find = in {quoted(word)}. Must be of the form: name=value")
    return tuple(Pair(name, value) for name, _, value in (word.partition("=") for word in words))


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array; None where *text* is no JSON array. Raises DockerfileError for other members."""
    begun = strip_left(text)
    if not begun.startswith("["):
        return None
    try:
        members = json.loads(begun, parse_int=float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(member, str) for member in members):
        raise DockerfileError("when using JSON array syntax, arrays must be comprised of strings only")
    return tuple(_whole(member) for member in members)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _whole(text: str) -> str:
    """*text* with the replacement sign in place of half surrogate pairs, which no encoding can write."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
