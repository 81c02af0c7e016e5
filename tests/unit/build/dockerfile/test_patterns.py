from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.automaton import Automaton
from havre.build.dockerfile.patterns import InvalidPattern, replace, trim_end, trim_start

PATTERNS = st.text("ab?*", max_size=6)
TEXTS = st.text("ab\n", max_size=10)


def expression(pattern: str) -> str:
    return pattern.replace("?", ".").replace("*", ".*")


@pytest.mark.parametrize(
    ("value", "pattern", "shortest", "longest"),
    [
        ("a/b/c", "*/", "b/c", "c"),
        ("abc", "x", "abc", "abc"),
        ("abc", "", "abc", "abc"),
        ("abc", "*", "abc", ""),
        ("a*b", r"a\*", "b", "b"),
        ("ab", "??", "", ""),
        ("a}b", r"a\}", "b", "b"),
        ("a/b", r"a\/", "b", "b"),
        ("a\nb", "*b", "a\nb", "a\nb"),
    ],
)
def test_beginnings(value: str, pattern: str, shortest: str, longest: str) -> None:
    assert trim_start(value, pattern, longest=False) == shortest
    assert trim_start(value, pattern, longest=True) == longest


@pytest.mark.parametrize(
    ("value", "pattern", "shortest", "longest"),
    [
        ("a.tar.gz", ".*", "a.tar", "a"),
        ("a.tar.gz", ".gz", "a.tar", "a.tar"),
        ("abc", "?", "ab", "ab"),
        (r"a\b", r"\\b", "a", "a"),
        ("abc", "*", "abc", ""),
    ],
)
def test_ends(value: str, pattern: str, shortest: str, longest: str) -> None:
    assert trim_end(value, pattern, longest=False) == shortest
    assert trim_end(value, pattern, longest=True) == longest


@pytest.mark.parametrize(
    ("value", "pattern", "first", "every"),
    [
        ("aXbXc", "X", "a-bXc", "a-b-c"),
        ("abc", "*", "-", "-"),
        ("abc", "", "-abc", "-a-b-c-"),
        ("", "", "-", "-"),
        ("abc", "x", "abc", "abc"),
        ("aab", "a*", "-", "-"),
        ("a\nb", "*", "-\nb", "-\n-"),
    ],
)
def test_replacements(value: str, pattern: str, first: str, every: str) -> None:
    assert replace(value, pattern, "-", every=False) == first
    assert replace(value, pattern, "-", every=True) == every


@pytest.mark.parametrize("pattern", ["\\a", "a\\"])
def test_an_escape_without_meaning(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match="invalid escape"):
        trim_start("a", pattern, longest=False)


@given(TEXTS, PATTERNS)
def test_as_expressions_would(value: str, pattern: str) -> None:
    ends = [end for end in range(len(value) + 1) if re.fullmatch(expression(pattern), value[:end])]
    starts = [start for start in range(len(value) + 1) if re.fullmatch(expression(pattern), value[start:])]
    assert trim_start(value, pattern, longest=False) == (value[ends[0] :] if ends else value)
    assert trim_start(value, pattern, longest=True) == (value[ends[-1] :] if ends else value)
    assert trim_end(value, pattern, longest=False) == (value[: starts[-1]] if starts else value)
    assert trim_end(value, pattern, longest=True) == (value[: starts[0]] if starts else value)
    assert replace(value, pattern, "-", every=False) == re.sub(expression(pattern), "-", value, count=1)


def test_every_replacement_costs_a_few_steps_a_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real = Automaton.after

    def after(self: Automaton, state: int, sign: str) -> int:
        steps.append(sign)
        return real(self, state, sign)

    monkeypatch.setattr(Automaton, "after", after)
    replace("ab" * 2000, "*a*a*a*b", "", every=True)
    replace("a" * 4000, "?a", "", every=True)
    replace("a" * 4000, "*b", "", every=True)
    assert len(steps) < 6 * 4000 * 3
