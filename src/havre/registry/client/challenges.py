"""The header WWW-Authenticate (RFC 9110, 11.6.1): several schemes, each with parameters, in one or many fields."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MAX_BYTES = 16 << 10
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Each alternative begins with another character or consumes one: linear, whatever a stranger sends.
_PART = re.compile(rf'\s*(?:,|({_WORD})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))|(?=[\s,]|\Z)))', re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to tell who asks; *scheme* and the names of *parameters* are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(text: str) -> tuple[Challenge, ...]:
    """What *text* offers, in its order; what cannot be understood ends the list."""
    found: list[tuple[str, dict[str, str]]] = []
    for word, value in _parts(text[:_MAX_BYTES]):
        if value is None:
            found.append((word, {}))
        elif found:
            found[-1][1].setdefault(word, value)
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while (match := _PART.match(text, position)) is not None and match.end() > position:
        position = match.end()
        word, quoted, plain = match.groups()
        if word is None:
            continue
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        yield word.lower(), value
