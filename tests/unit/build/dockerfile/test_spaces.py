from __future__ import annotations

import pytest

from havre.build.dockerfile.spaces import SPACES, first_word, is_space, strip, strip_left


@pytest.mark.parametrize("sign", ["\t", "\v", "\x85", "\xa0", "\u3000"])
def test_spaces(sign: str) -> None:
    assert is_space(sign)
    assert strip(f"{sign}a{sign}") == "a"
    assert strip_left(f"{sign}a{sign}") == f"a{sign}"


@pytest.mark.parametrize("sign", ["\x1c", "\x1f", "\u200b", "a", "\ufeff"])
def test_what_python_or_the_eye_takes_for_a_space_is_none(sign: str) -> None:
    assert not is_space(sign)


def test_all_of_them_separate_words() -> None:
    for sign in SPACES:
        assert first_word(f"one{sign}two three") == ("one", "two three")


def test_a_word_alone() -> None:
    assert first_word("one") == ("one", "")
    assert first_word("") == ("", "")
