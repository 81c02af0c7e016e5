from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.suggest import did_you_mean, nearest

WORDS = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("RUNN", ["RUN", "COPY"], "RUN"),
        ("frm", ["from", "chown"], "from"),
        ("xyz", ["run", "copy"], None),
        ("run", ["run", "ru"], None),
        ("aaa", ["aab", "aba"], "aab"),
        ("target", ["targt", "size"], "targt"),
        ("abcdef", ["uvwxyz"], None),
        ("", ["ab", "abc"], "ab"),
    ],
)
def test_the_nearest_word(word: str, known: list[str], meant: str | None) -> None:
    assert nearest(word, known) == meant


def test_the_sentence() -> None:
    assert did_you_mean("unknown flag: --frm", "frm", ["from"]) == "unknown flag: --frm (did you mean from?)"
    assert did_you_mean("unknown flag: --zzz", "zzz", ["from"]) == "unknown flag: --zzz"


def slow_distance(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    changed = slow_distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(changed, slow_distance(one[1:], other) + 1, slow_distance(one, other[1:]) + 1)


@given(WORDS, WORDS)
def test_two_changes_and_no_more(one: str, other: str) -> None:
    assert (nearest(one, [other]) is not None) == (0 < slow_distance(one, other) <= 2)
