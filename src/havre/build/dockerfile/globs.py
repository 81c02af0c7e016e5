r"""Go's file patterns: `*` and `?` within a name, `[a-z]`, `[^a-z]`, `\` before a plain sign; and `**` over names.

No sign of a pattern but `/` itself and `**` meets a `/`.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from havre.build.dockerfile.automaton import Automaton
from havre.build.dockerfile.errors import DockerfileError

_WILD: Final = re.compile(r"\\.|([*?\[])", re.DOTALL)
_FEW: Final = 2


@dataclass(frozen=True, slots=True)
class Ranges:
    """`[…]`: signs from one to another, or with *negated* all others."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def accepts(self, sign: str) -> bool:
        """Whether *sign* is one of them."""
        return any(low <= sign <= high for low, high in self.ranges) is not self.negated


@dataclass(frozen=True, slots=True)
class AnySign:
    """`?`."""


@dataclass(frozen=True, slots=True)
class Star:
    """`*`."""


@dataclass(frozen=True, slots=True)
class Folders:
    """`**` or `**/` before more: any folders, or nothing; *whole*: with the slash."""

    whole: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """`**` at the end: whatever follows."""


Token = str | Ranges | AnySign | Star | Folders | Rest


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern that was read."""

    pattern: str
    matches: Callable[[str], bool]
    """Whether a whole path matches."""
    expression: str | None = None
    """The same for `re`; None where that could be slow."""


def has_wildcards(pattern: str) -> bool:
    r"""Whether *pattern* holds a `*`, `?` or `[` that no `\` makes plain."""
    return any(found[1] for found in _WILD.finditer(pattern))


def literal_folder(pattern: str) -> tuple[str, str]:
    """Where to begin to look, the folders of *pattern* before the first one with wildcards, unescaped; and the rest."""
    names = pattern.split("/")
    count = next((index for index, name in enumerate(names) if has_wildcards(name)), len(names) - 1)
    return unescaped("/".join(names[:count])), "/".join(names[count:])


def escaped(path: str) -> str:
    r"""A pattern that means the one *path*: `\` before whatever a pattern would take for more."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def unescaped(pattern: str) -> str:
    r"""The path that a *pattern* without wildcards means: each `\` gone."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


def go_glob(pattern: str) -> Glob:
    """A pattern of a COPY or ADD source: `**` is no more than `*`. Raises DockerfileError."""
    return _glob(pattern, _read(pattern, deep=False))


def deep_glob(pattern: str) -> Glob:
    """A pattern of .dockerignore, `--exclude` or `--parents`, with `**`. Raises DockerfileError."""
    tokens = _read(pattern, deep=True)
    return _plain(pattern, tokens) or _glob(pattern, tokens)


def clean(path: str) -> str:
    """Go's `filepath.Clean`: one slash, no `.`, no `..` that can be taken away."""
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def _glob(pattern: str, tokens: list[Token]) -> Glob:
    """Few stars are left to `re`, which is quick; many would let it try all their combinations."""
    many = sum(isinstance(token, Star | Folders | Rest) for token in tokens)
    if many > _FEW:
        return Glob(pattern, automaton_of(tokens).matches)
    expression = "".join(map(_expression, tokens))
    return Glob(pattern, _Compiled(expression), expression)


class _Compiled:
    """An expression that is compiled when it is first used: of many patterns, few are."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._pattern: re.Pattern[str] | None = None

    def __call__(self, path: str) -> bool:
        if self._pattern is None:
            self._pattern = re.compile(self._expression, re.DOTALL)
        return self._pattern.fullmatch(path) is not None


def _plain(pattern: str, tokens: list[Token]) -> Glob | None:
    """A comparison of texts where one is enough: `a/b`, `a/**`, `**/b`, and `**.b`, which is the end of any name."""
    text = "".join(token for token in tokens if isinstance(token, str))
    match [token for token in tokens if not isinstance(token, str)]:
        case []:
            return Glob(pattern, lambda path: path == text, re.escape(text))
        case [Rest()]:
            return Glob(pattern, lambda path: path.startswith(text), re.escape(text) + ".*")
        case [Folders(whole=True)] if not isinstance(tokens[0], str):
            end = "/" + text
            return Glob(pattern, lambda path: path == text or path.endswith(end), "(?:.*/)?" + re.escape(text))
        case [Folders()] if not isinstance(tokens[0], str) and "\\" not in pattern:
            return Glob(pattern, lambda path: path.endswith(text), ".*" + re.escape(text))
        case _:
            return None


def automaton_of(tokens: list[Token]) -> Automaton:
    """The same pattern as an automaton."""
    takes: dict[str, int] = {}
    classes: list[tuple[Callable[[str], bool], int]] = []
    any_sign = stars = rests = doors = place = 0
    for token in tokens:
        here = 1 << place
        match token:
            case str():
                takes[token] = takes.get(token, 0) | here
            case Ranges():
                classes.append((token.accepts, here))
            case AnySign():
                any_sign |= here
            case Star():
                stars |= here
            case Rest():
                rests |= here
            case Folders():
                doors |= here
                rests |= here << 1
                takes["/"] = takes.get("/", 0) | here << 1
        place += _PLACES.get(type(token), 1)
    return Automaton(place, "/", takes, any_sign, tuple(classes), stars, rests, doors)


_PLACES: Final[dict[type, int]] = {Star: 0, Rest: 0, Folders: 2}


def _expression(token: Token) -> str:
    match token:
        case str():
            return re.escape(token)
        case AnySign():
            return "[^/]"
        case Star():
            return "[^/]*"
        case Rest():
            return ".*"
        case Folders():
            return "(?:.*/)?"
        case Ranges():
            return _class_expression(token)


def _class_expression(token: Ranges) -> str:
    ranges = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in token.ranges if low <= high)
    if token.negated:
        return f"[^/{ranges}]"
    return f"(?!/)[{ranges}]" if ranges else "(?!)"


def _read(pattern: str, *, deep: bool) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while position < len(pattern):
        token, position = _token(pattern, position, deep=deep)
        if tokens and isinstance(token, Star | Folders) and type(token) is type(tokens[-1]):
            tokens.pop()
            token = Folders(whole=True) if isinstance(token, Folders) else token
        tokens.append(token)
    return tokens


def _token(pattern: str, position: int, *, deep: bool) -> tuple[Token, int]:
    sign = pattern[position]
    position += 1
    if sign == "*":
        return _stars(pattern, position) if deep and pattern.startswith("*", position) else (Star(), position)
    if sign == "?":
        return AnySign(), position
    if sign == "[":
        return _ranges(pattern, position)
    if sign == "\\":
        return _plain_sign(pattern, position - 1)
    return sign, position


def _stars(pattern: str, position: int) -> tuple[Token, int]:
    position += 1
    whole = pattern.startswith("/", position)
    position += whole
    return (Folders(whole), position) if position < len(pattern) else (Rest(), position)


def _ranges(pattern: str, position: int) -> tuple[Token, int]:
    negated = pattern.startswith("^", position)
    position += negated
    ranges: list[tuple[str, str]] = []
    while not ranges or not pattern.startswith("]", position):
        low, position = _class_sign(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_sign(pattern, position + 1)
        ranges.append((low, high))
    return Ranges(tuple(ranges), negated), position + 1


def _class_sign(pattern: str, position: int) -> tuple[str, int]:
    if pattern[position : position + 1] in {"", "-", "]"}:
        raise DockerfileError("syntax error in pattern")
    if pattern[position] == "\\":
        return _plain_sign(pattern, position)
    return pattern[position], position + 1


def _plain_sign(pattern: str, position: int) -> tuple[str, int]:
    if position + 1 >= len(pattern):
        raise DockerfileError("syntax error in pattern")
    return pattern[position + 1], position + 2
