"""The word that was probably meant."""

from collections.abc import Iterable

_FARTHEST = 2


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The word of *known* at most two changes away from *word*, the nearest and then the first in order.

    None where nothing is near, and where *word* itself is known: then it was not the mistake.
    """
    best: str | None = None
    least = _FARTHEST + 1
    for option in sorted(known):
        if option == word:
            return None
        away = _distance(word, option, least)
        if away < least:
            best, least = option, away
    return best


def did_you_mean(message: str, word: str, known: Iterable[str]) -> str:
    """*message*, with the nearest known word behind it if there is one."""
    meant = nearest(word, known)
    return message if meant is None else f"{message} (did you mean {meant}?)"


def _distance(one: str, other: str, limit: int) -> int:
    """Levenshtein's distance; any number from *limit* on says "too far"."""
    if abs(len(one) - len(other)) >= limit:
        return limit
    row = list(range(len(other) + 1))
    for i, sign in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, other_sign in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (sign != other_sign))
    return row[-1]
