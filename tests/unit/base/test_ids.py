from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.ids import ID_LENGTH, SHORT_LENGTH, is_id, is_id_prefix, new_id, short


def test_ids_are_ids_and_differ() -> None:
    made = {new_id() for _ in range(200)}
    assert len(made) == 200
    assert all(is_id(one) and len(one) == ID_LENGTH for one in made)


def test_an_id_that_reads_as_a_number_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [b"\x12" * 6 + b"\xff" * 26, b"\x99" * 32, b"\x12" * 5 + b"\x1a" + b"\x12" * 26]
    monkeypatch.setattr(os, "urandom", lambda _: drawn.pop(0))
    assert new_id().startswith("12121212121a1212")
    assert not drawn


def test_the_short_form() -> None:
    whole = "abcdef0123456789" * 4
    assert short(whole) == short(f"sha256:{whole}") == "abcdef012345"
    assert len(short(whole)) == SHORT_LENGTH
    assert short("abc") == "abc"
    assert short("") == ""


@pytest.mark.parametrize(
    ("text", "whole", "prefix"),
    [
        ("a" * 64, True, True),
        ("a" * 63, False, True),
        ("a" * 65, False, False),
        ("a", False, True),
        ("", False, False),
        ("A" * 64, False, False),
        ("g" * 64, False, False),
        ("\u0660" * 64, False, False),
        ("a" * 63 + "\n", False, False),
        ("sha256:ab", False, False),
        ("ab/..", False, False),
    ],
)
def test_what_is_an_id(text: str, *, whole: bool, prefix: bool) -> None:
    assert is_id(text) is whole
    assert is_id_prefix(text) is prefix


@given(st.text(alphabet="0123456789abcdef", min_size=64, max_size=64), st.integers(1, 64))
def test_each_beginning_of_an_id_is_a_prefix(identifier: str, length: int) -> None:
    assert is_id(identifier)
    assert is_id_prefix(identifier[:length])
