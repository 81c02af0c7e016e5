from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.images.words import json_list, key_values, split_words, unquote

VALUES = {"a": "1", "empty": ""}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\tc", ["a", "b", "c"]),
        ('a "b c" d', ["a", '"b c"', "d"]),
        (r"a\ b c", [r"a\ b", "c"]),
        ("'a b'c", ["'a b'c"]),
        ("", []),
        ("   ", []),
        ("a\\", ["a\\"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$a", "1"),
        ("${a}x", "1x"),
        ("'$a'", "$a"),
        ('"$a b"', "1 b"),
        (r"\$a", "$a"),
        (r"\\$a", r"\1"),
        (r'"\n\"\$"', r"\n" + '"$'),
        ("${a:-z}${no:-z}${empty:-z}", "1zz"),
        ("${a:+z}${no:+z}", "z"),
        ("$no", ""),
        ("$", "$"),
        ("$1", "$1"),
        ("a'b'\"c\"", "abc"),
        ("é", "é"),
    ],
)
def test_unquoted(word: str, value: str) -> None:
    assert unquote(word, VALUES) == value


@pytest.mark.parametrize(("word", "kind"), [('"b', "double"), ("'b", "single"), ('a"', "double")])
def test_an_open_quote(word: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match=f"failed to process .* looking for matching {kind}-quote"):
        unquote(word, {})


@given(st.text(max_size=200))
def test_any_text_is_words_or_refused(text: str) -> None:
    for word in split_words(text):
        try:
            unquote(word, VALUES)
        except InvalidInput:
            continue


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("[]", []),
        ("a b", None),
        ("[1]", None),
        ('["a"', None),
        ('{"a":1}', None),
        ("[" * 100_000, None),
        ('["\\ud800"]', None),
    ],
)
def test_json_lists(text: str, listed: list[str] | None) -> None:
    assert json_list(text) == listed


def test_pairs() -> None:
    assert key_values("ENV", 'a=b c="x y" d=$a', VALUES) == [("a", "b"), ("c", "x y"), ("d", "1")]
    assert key_values("ENV", "old style value", VALUES) == [("old", "style value")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ENV requires at least one argument"),
        ("a", "ENV must have two arguments"),
        ("=x", "ENV names can not be blank"),
        ("a=b c", "can't find = in 'c'"),
    ],
)
def test_no_pairs(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        key_values("ENV", text, {})
