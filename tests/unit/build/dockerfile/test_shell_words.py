from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.shell_words import Lexer

VALUES = {"set": "value", "empty": "", "path": "a/b.tar.gz", "spaced": "a  b", "korean": "한국어"}
LEXER = Lexer()
ANY = st.text("$${}ab:-+?#%/'\"\\ <", max_size=12)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$set", "value"),
        ("x${set}y", "xvaluey"),
        ("$unset.", "."),
        ("$korean!", "한국어!"),
        ("$", "$"),
        ("$.", "$."),
        ("$1x", "x"),
        ("$12x", "x"),
        ("$$set", "set"),
        ("$@@", "@"),
        ("${set:-w}", "value"),
        ("${empty:-w}", "w"),
        ("${empty-w}", ""),
        ("${unset-w}", "w"),
        ("${unset:-$set}", "value"),
        ("${unset:-${other:-w}}", "w"),
        ("${set:+w}", "w"),
        ("${empty:+w}", ""),
        ("${empty+w}", "w"),
        ("${unset+w}", ""),
        ("${set?m}", "value"),
        ("${set:?m}", "value"),
        ("${empty?m}", ""),
        ("${path#*/}", "b.tar.gz"),
        ("${path##*.}", "gz"),
        ("${path%.*}", "a/b.tar"),
        ("${path%%.*}", "a/b"),
        ("${path/./-}", "a/b-tar.gz"),
        ("${path//./-}", "a/b-tar-gz"),
        (r"${path/\//-}", "a-b.tar.gz"),
        ("${unset/a/b}", ""),
        ("${unset#a}", ""),
        ("${unset:-'}'}", "}"),
        (r"\$set", "$set"),
        (r"\\$set", r"\value"),
        (r"a\b", "ab"),
        ("a\\", "a"),
        ("'$set'", "$set"),
        ('"$set"', "value"),
        ('"a\\"b"', 'a"b'),
        ('"a\\b"', "a\\b"),
        ('"\\$set\\\\"', "$set\\"),
        ('"it\'s"', "it's"),
        ("a<b", "a<b"),
        ("<<  EOF", "<<  EOF"),
        ("a  b ", "a  b "),
    ],
)
def test_words(text: str, expanded: str) -> None:
    assert LEXER.expand(text, VALUES).text == expanded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ('"a', "unexpected end of statement while looking for matching double-quote"),
        ('"a\\', "unexpected end of statement while looking for matching double-quote"),
        ("${", "syntax error: missing '}'"),
        ("${set", "syntax error: missing '}'"),
        ("${set:-w", "syntax error: missing '}'"),
        ("${set/a", "syntax error: missing '/' in ${}"),
        ("${set/a/b", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${:-a}", "syntax error: bad substitution"),
        ("${{a}", "syntax error: bad substitution"),
        ("${.}", "unsupported modifier (.) in substitution"),
        ("${set=w}", "unsupported modifier (=) in substitution"),
        ("${set:w}", "unsupported modifier (:w) in substitution"),
        ("${set:#w}", "unsupported modifier (:#) in substitution"),
        ("${unset?}", "unset: is not allowed to be unset"),
        ("${unset:?say why}", "unset: say why"),
        ("${empty:?}", "empty: is not allowed to be empty"),
        ("${set#\\a}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"),
        ("${set/\\a/b}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"),
        ("${unset:-${}x}", "syntax error: bad substitution"),
        ("${x-" * 101 + "}" * 101, "variables are nested too deeply"),
    ],
)
def test_what_cannot_be_expanded(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        LEXER.expand(text, VALUES)
    assert caught.value.reason.startswith('failed to process "')
    assert caught.value.reason.endswith(f'": {reason}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("$spaced", ["a", "b"]),
        ('"$spaced"', ["a  b"]),
        ("x${spaced}y", ["xa", "by"]),
        (r"a\ b", ["a b"]),
        ("a' b'c", ["a bc"]),
        ("'' a", ["a"]),
        ("a << EOF", ["a", "<< EOF"]),
        ("<a", ["<a"]),
        ("x${unset:-y}", ["xy"]),
    ],
)
def test_splitting(text: str, words: list[str]) -> None:
    assert list(LEXER.expand(text, VALUES).words) == words


def test_names() -> None:
    expansion = LEXER.expand("$set ${unset:-$other} '$no'", VALUES)
    assert expansion.used == {"set"}
    assert expansion.missing == {"unset", "other"}


@pytest.mark.parametrize(
    ("lexer", "text", "expanded"),
    [
        (Lexer(escape="`"), "`$set \\ $set", "$set \\ value"),
        (Lexer(keep_quotes=True), "'a' \"$set\"", "'a' \"value\""),
        (Lexer(keep_escapes=True), r'\a "\"" "\b"', r"\a \" \\b"),
        (Lexer(plain_quotes=True), 'it\'s "$set"', 'it\'s "value"'),
        (Lexer(keep_unset=True), "$unset $set ${unset}", "$unset value ${unset}"),
        (Lexer(keep_unset=True), "${unset:-a} ${unset#b}", "${unset:-a} ${unset#b}"),
        (Lexer(keep_unset=True), "${unset/a/b} ${unset//a/b}", "${unset/a/b} ${unset//a/b}"),
    ],
)
def test_what_is_kept(lexer: Lexer, text: str, expanded: str) -> None:
    assert lexer.expand(text, VALUES).text == expanded


@given(ANY)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expansion = LEXER.expand(text, {"a": "b"})
    except DockerfileError as error:
        assert error.reason.startswith("failed to process")
    else:
        assert "".join(expansion.text.split()) == "".join("".join(expansion.words).split())


@given(st.text())
def test_quoted_text_is_itself(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert LEXER.expand(f'"{escaped}"', {}).text == text
