from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.automaton import Automaton


def stars(pattern: str) -> Automaton:
    """Plain signs and `*`."""
    takes: dict[str, int] = {}
    loops = place = 0
    for sign in pattern:
        if sign == "*":
            loops |= 1 << place
        else:
            takes[sign] = takes.get(sign, 0) | 1 << place
            place += 1
    return Automaton(place, "/", takes, stars=loops)


@given(st.text("ab*", max_size=8), st.text("ab/", max_size=12))
def test_as_an_expression_would(pattern: str, text: str) -> None:
    expression = re.sub(r"\*+", "[^/]*", pattern)
    assert stars(pattern).matches(text) == bool(re.fullmatch(expression, text))


def test_any_sign_but_the_barrier() -> None:
    one = Automaton(1, "/", any_sign=1)
    assert one.matches("a")
    assert not one.matches("/")
    assert not one.matches("")
    assert not one.matches("ab")


def test_classes() -> None:
    digit = Automaton(1, "/", classes=((str.isdigit, 1),))
    assert digit.matches("7")
    assert not digit.matches("a")
    assert not Automaton(1, "/", classes=((lambda _: True, 1),)).matches("/")


def test_doors_and_rests() -> None:
    below = Automaton(3, "/", {"/": 2, "x": 4}, rests=2, doors=1)  # (.*/)?x
    assert all(map(below.matches, ["x", "/x", "a/x", "a/b/x"]))
    assert not any(map(below.matches, ["ax", "a/xb", ""]))


@pytest.mark.parametrize("count", [10, 100])
def test_work_grows_with_the_text_alone(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    steps: list[str] = []
    real = Automaton.after

    def after(self: Automaton, state: int, sign: str) -> int:
        steps.append(sign)
        return real(self, state, sign)

    monkeypatch.setattr(Automaton, "after", after)
    assert not stars("*a" * count + "b").matches("a" * 1000)
    assert len(steps) == 1000


def places(state: int) -> Iterator[int]:
    return (place for place in range(state.bit_length()) if state >> place & 1)


def test_places_are_bits() -> None:
    automaton = stars("*a*")
    assert list(places(automaton.start())) == [0]
    assert list(places(automaton.after(1, "a"))) == [0, 1]
    assert automaton.is_done(2)
