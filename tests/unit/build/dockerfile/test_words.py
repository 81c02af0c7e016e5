from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.nodes import Pair
from havre.build.dockerfile.words import Line, blank_words, cut_line, json_words, pairs, quoted_words


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("RUN a  b", Line("RUN", (), "a  b")),
        ("\xa0RUN\ta ", Line("RUN", (), "a")),
        ("RUN", Line("RUN", (), "")),
        ("", Line("", (), "")),
        ("COPY --a --b=c  d e", Line("COPY", ("--a", "--b=c"), "d e")),
        ('COPY --a="b c" d', Line("COPY", ("--a=b c",), "d")),
        (r"COPY --a=b\ c d", Line("COPY", ("--a=b c",), "d")),
        ("COPY --a='b\"' d", Line("COPY", ('--a=b"',), "d")),
        ("COPY --a -- --b", Line("COPY", ("--a",), "--b")),
        ("COPY --", Line("COPY", (), "")),
        ("COPY --a=b\\", Line("COPY", ("--a=b",), "")),
        ("COPY -a --b", Line("COPY", (), "-a --b")),
        ("COPY --a=é b", Line("COPY", ("--a=é",), "b")),
        ("COPY --a='b c", Line("COPY", ("--a=b c",), "")),
    ],
)
def test_lines(text: str, line: Line) -> None:
    assert cut_line(text, "\\") == line


def test_words_between_blanks() -> None:
    assert blank_words('a\t"b  c"') == ("a", '"b', 'c"')
    assert blank_words("") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ('a="b c" d', ['a="b c"', "d"]),
        ("'a b'c", ["'a b'c"]),
        (r"a\ b", [r"a\ b"]),
        (r'"a\" b"', [r'"a\" b"']),
        ("'a\\' b", ["'a\\'", "b"]),
        ("'a\\", ["'a\\"]),
        ("a\\", ["a"]),
        ("a \\", ["a"]),
        ('"a b', ['"a b']),
        (" a\u3000b ", ["a", "b"]),
    ],
)
def test_words_with_quotes(text: str, words: list[str]) -> None:
    assert quoted_words(text, "\\") == words


def test_pairs() -> None:
    assert pairs("ENV", "a=1 b='2 3' c=", "\\") == (Pair("a", "1"), Pair("b", "'2 3'"), Pair("c", ""))
    assert pairs("ENV", "a b=c  d", "\\") == (Pair("a", "b=c  d", legacy=True),)
    assert pairs("ENV", "", "\\") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "ENV must have two arguments"),
        ('a=1 "b c"', 'Syntax error - can\'t find = in "\\"b c\\"". Must be of the form: name=value'),
    ],
)
def test_no_pairs(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        pairs("ENV", text, "\\")
    assert caught.value.reason == message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["a", "b c"]', ("a", "b c")),
        (" []", ()),
        ('["\\u00e9\\ud83d\\ude00"]', ("é😀",)),
        ('["\\ud800"]', ("\ufffd",)),
        ("[a]", None),
        ("['a']", None),
        ('["a"', None),
        ('["a"] b', None),
        ('{"a": 1}', None),
        ("[NaN]", None),
        ("[" * 100_000, None),
    ],
)
def test_json(text: str, words: tuple[str, ...] | None) -> None:
    assert json_words(text) == words


@pytest.mark.parametrize("text", ['["a", 1]', '["a", ["b"]]', "[1e999]", f"[{'1' * 5000}]"])
def test_json_of_other_things(text: str) -> None:
    with pytest.raises(DockerfileError, match="arrays must be comprised of strings only"):
        json_words(text)


@given(st.lists(st.text("ab\"'\\ ", min_size=1, max_size=5), max_size=4))
def test_escaped_words_stay_whole(words: list[str]) -> None:
    escaped = ["".join(f"\\{sign}" for sign in word) for word in words]
    assert quoted_words(" ".join(escaped), "\\") == escaped
