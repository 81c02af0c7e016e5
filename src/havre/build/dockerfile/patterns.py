r"""The patterns of `${name#pattern}` and its kin: `*` is any text, `?` any one sign, `\` makes the next sign plain.

Neither `*` nor `?` meets a line break.
"""

from typing import Final

from havre.build.dockerfile.automaton import Automaton

_ESCAPABLE: Final = frozenset("*?\\/}")


class InvalidPattern(Exception):
    """A pattern with an escape that has no meaning."""


def trim_start(value: str, pattern: str, *, longest: bool) -> str:
    """*value* without the match of *pattern* at its beginning. Raises InvalidPattern."""
    end = _end(_automaton(*_read(pattern)), value, 0, longest=longest)
    return value[end or 0 :]


def trim_end(value: str, pattern: str, *, longest: bool) -> str:
    """*value* without the match of *pattern* at its end. Raises InvalidPattern."""
    end = _end(_automaton(*_backwards(*_read(pattern))), value[::-1], 0, longest=longest)
    return value[: len(value) - (end or 0)]


def replace(value: str, pattern: str, replacement: str, *, every: bool) -> str:
    """*value* with the first longest match of *pattern*, or each one, replaced. Raises InvalidPattern."""
    signs, stars = _read(pattern)
    forwards = _automaton(signs, stars)
    begins = _begins(_automaton(*_backwards(signs, stars)), value)
    out: list[str] = []
    position = kept = 0
    while position <= len(value):
        end = _end(forwards, value, position, longest=True) if begins[position] else None
        if end is None or (end == position == kept and out):  # nothing, or an empty match right behind another one
            position += 1
            continue
        out += [value[kept:position], replacement]
        kept = end
        position = max(end, position + 1)
        if not every:
            break
    return "".join([*out, value[kept:]])


_Signs = list[str | None]


def _read(pattern: str) -> tuple[_Signs, set[int]]:
    """The single signs, None for `?`, and the places before which a `*` stands."""
    signs: _Signs = []
    stars: set[int] = set()
    rest = iter(pattern)
    for sign in rest:
        if sign == "*":
            stars.add(len(signs))
        elif sign == "?":
            signs.append(None)
        elif sign == "\\":
            signs.append(_escaped(next(rest, "")))
        else:
            signs.append(sign)
    return signs, stars


def _escaped(sign: str) -> str:
    if sign not in _ESCAPABLE:
        raise InvalidPattern(f"invalid escape '\\{sign}'")
    return sign


def _backwards(signs: _Signs, stars: set[int]) -> tuple[_Signs, set[int]]:
    return signs[::-1], {len(signs) - place for place in stars}


def _automaton(signs: _Signs, stars: set[int]) -> Automaton:
    takes: dict[str, int] = {}
    any_sign = 0
    for place, sign in enumerate(signs):
        if sign is None:
            any_sign |= 1 << place
        else:
            takes[sign] = takes.get(sign, 0) | 1 << place
    return Automaton(len(signs), "\n", takes, any_sign, stars=sum(1 << place for place in stars))


def _end(automaton: Automaton, text: str, start: int, *, longest: bool) -> int | None:
    """Where a match that begins at *start* ends: at the nearest place, or the farthest."""
    state = automaton.start()
    found = start if automaton.is_done(state) else None
    for position in range(start, len(text)):
        if not state or (found is not None and not longest):
            break
        state = automaton.after(state, text[position])
        found = position + 1 if automaton.is_done(state) else found
    return found


def _begins(backwards: Automaton, text: str) -> list[bool]:
    """For each place in *text*, its end included, whether a match begins there."""
    found = [False] * (len(text) + 1)
    state = backwards.start()
    for position in range(len(text), -1, -1):
        found[position] = backwards.is_done(state)
        if position:
            state = backwards.after(state, text[position - 1]) | backwards.start()
    return found
