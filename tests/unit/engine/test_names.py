from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.engine.names import fresh_name, parse_name
from havre.engine.words import ADJECTIVES, SURNAMES


@pytest.mark.parametrize("given", ["ab", "/ab", "a.b-c_d", "9x", "A" * 255])
def test_good_names(given: str) -> None:
    assert parse_name(given) == given.removeprefix("/")


@pytest.mark.parametrize("given", ["a", "", "-ab", "_ab", "a b", "a/b", "ä2", "ab\n", "a\0b", "..", "x" * 256, "//ab"])
def test_bad_names_in_dockers_words(given: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        parse_name(given)
    shown = given[:256]
    assert str(wrong.value) == f"Invalid container name ({shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"


def test_words_are_unique_and_make_good_names() -> None:
    assert len(set(ADJECTIVES)) == len(ADJECTIVES)
    assert len(set(SURNAMES)) == len(SURNAMES)
    for word in (*ADJECTIVES, *SURNAMES):
        assert parse_name(f"{word}_{word}")


def test_fresh_names_are_free() -> None:
    taken: set[str] = set()
    for _ in range(500):
        name = fresh_name(taken, "f" * 64)
        assert name not in taken
        taken.add(name)


def test_the_id_helps_out_when_every_name_is_taken() -> None:
    class Everything:
        def __contains__(self, _: object) -> bool:
            return True

    assert fresh_name(Everything(), "abcdef" * 10 + "abcd") == "abcdefabcdef"
