r"""The patterns of `${name#pattern}` and its kin: `*` is any text, `?` any one sign, `\` makes the next sign plain.

A pattern never meets a line break. Work is bounded by the length of the text times the length of the pattern, whatever
the pattern: the positions reached in it are the bits of one integer.
"""

from dataclasses import dataclass
from typing import Final, Self

_ESCAPABLE: Final = frozenset("*?\\")
_DELIMITERS: Final = frozenset("/}")


class InvalidPattern(Exception):
    """A pattern with an escape that has no meaning."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A read pattern: plain signs as they are; None for one sign of any kind; *stars* are the bits of its stars."""

    signs: tuple[str | None, ...]
    stars: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises InvalidPattern."""
        signs: list[str | None] = []
        stars = 0
        rest = iter(text)
        for sign in rest:
            if sign == "*":
                stars |= 1 << len(signs)
            elif sign == "?":
                signs.append(None)
            elif sign == "\\":
                signs.append(_escaped(next(rest, "")))
            else:
                signs.append(sign)
        return cls(tuple(signs), stars)

    def reversed(self) -> "Pattern":
        """The pattern that matches backwards what this one matches."""
        size = len(self.signs)
        stars = sum(1 << (size - place) for place in range(size + 1) if self.stars >> place & 1)
        return Pattern(self.signs[::-1], stars)

    def prefix(self, text: str, start: int = 0, *, longest: bool) -> int | None:
        """Where a match that begins at *start* ends: the nearest such place, or the farthest."""
        steps = self._steps()
        done = 1 << len(self.signs)
        state = 1
        found: int | None = None
        for position in range(start, len(text) + 1):
            if state & done:
                found = position
                if not longest:
                    break
            if position == len(text) or not state:
                break
            sign = text[position]
            state = self._after(state, sign, steps)
        return found

    def starts(self, text: str) -> list[bool]:
        """For each place in *text*, its end included, whether a match begins there."""
        backwards = self.reversed()
        steps = backwards._steps()  # noqa: SLF001 - the same class
        done = 1 << len(self.signs)
        found = [False] * (len(text) + 1)
        state = 1
        for position in range(len(text), -1, -1):
            state |= 1  # a match may end here
            found[position] = bool(state & done)
            if position:
                state = backwards._after(state, text[position - 1], steps)  # noqa: SLF001 - the same class
        return found

    def _steps(self) -> dict[str | None, int]:
        steps: dict[str | None, int] = {}
        for place, sign in enumerate(self.signs):
            steps[sign] = steps.get(sign, 0) | 1 << place
        return steps

    def _after(self, state: int, sign: str, steps: dict[str | None, int]) -> int:
        if sign == "\n":
            return (state & steps.get("\n", 0)) << 1
        moved = (state & (steps.get(sign, 0) | steps.get(None, 0))) << 1
        return moved | (state & self.stars)


def trim_start(value: str, pattern: str, *, longest: bool) -> str:
    """*value* without the match of *pattern* at its beginning. Raises InvalidPattern."""
    end = Pattern.read(pattern).prefix(value, longest=longest)
    return value[end or 0 :]


def trim_end(value: str, pattern: str, *, longest: bool) -> str:
    """*value* without the match of *pattern* at its end. Raises InvalidPattern."""
    end = Pattern.read(pattern).reversed().prefix(value[::-1], longest=longest)
    return value[: len(value) - (end or 0)]


def replace(value: str, pattern: str, replacement: str, *, every: bool) -> str:
    """*value* with the longest first match of *pattern*, or each one, replaced. Raises InvalidPattern."""
    read = Pattern.read(pattern)
    begins = read.starts(value)
    out: list[str] = []
    position = kept = 0
    while position <= len(value):
        end = read.prefix(value, position, longest=True) if begins[position] else None
        if end is None or (end == position and every and out and kept == position):
            position += 1
            continue
        out += [value[kept:position], replacement]
        kept = end
        position = end if end > position else position + 1
        if not every:
            break
    return "".join([*out, value[kept:]])


def _escaped(sign: str) -> str:
    if sign in _ESCAPABLE or sign in _DELIMITERS:
        return sign
    raise InvalidPattern(f"invalid escape '\\{sign}'")
