from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.globs import (
    Ranges,
    clean,
    deep_glob,
    escaped,
    go_glob,
    has_wildcards,
    literal_folder,
    unescaped,
)

DEEP = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "**/", "?", "[ab]", "[^a]", "."]), max_size=6).map("".join)
PATHS = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        ("a[^b]c", "a/c", False),
        (r"[\]a]", "]", True),
        (r"[\-]", "-", True),
        (r"[x\-]", "-", True),
        (r"[\-x]", "a", False),
        ("[z-a]", "b", False),
        ("[^z-a]", "b", True),
        ("**", "a/b", False),
        ("**", "ab", True),
        ("*x", "xxx", True),
        ("[", "a", None),
        ("[^", "a", None),
        ("[]a]", "]", None),
        ("[-]", "-", None),
        ("[x-]", "x", None),
        ("[-x]", "x", None),
        ("[a-b-c]", "a", None),
        ("a\\", "a", None),
        ("[\\", "a", None),
        ("[a", "a", None),
        ("a[", "ab", None),
    ],
)
def test_go_patterns(pattern: str, path: str, matched: bool | None) -> None:  # noqa: FBT001  a row
    if matched is None:
        with pytest.raises(DockerfileError, match=r"^syntax error in pattern$"):
            go_glob(pattern)
    else:
        assert go_glob(pattern).matches(path) is matched


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a**", "ab/c", True),
        ("**/a", "a", True),
        ("**/a", "x/y/a", True),
        ("**/a", "xa", False),
        ("**.go", "x/a.go", True),
        ("**.go", ".go", True),
        ("**/*.go", "a.go", True),
        ("**/*.go", "x/y/a.go", True),
        ("**/*.go", "x/a.go/b", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "ab", False),
        ("a**b", "ab", True),
        ("a**b", "ax/b", True),
        ("a**b", "axb", False),
        ("**/**/a", "x/a", True),
        ("**/a/*/b/**/c*", "x/a/y/b/z/z/cc", True),
        ("**/a/*/b/**/c*", "x/a/y/z/b/cc", False),
        ("[ab]/**", "a/x", True),
        ("a.b", "axb", False),
        ("a+(b)|{c}$", "a+(b)|{c}$", True),
    ],
)
def test_deep_patterns(pattern: str, path: str, matched: bool) -> None:  # noqa: FBT001  a row
    glob = deep_glob(pattern)
    assert glob.matches(path) is matched
    assert glob.pattern == pattern
    assert glob.expression is None or bool(re.fullmatch(glob.expression, path, re.DOTALL)) is matched


@given(DEEP, PATHS)
def test_expressions_and_automatons_agree(pattern: str, path: str) -> None:
    from havre.build.dockerfile import globs

    tokens = globs._read(pattern, deep=True)
    expression = re.compile("".join(map(globs._expression, tokens)), re.DOTALL)
    assert globs.automaton_of(tokens).matches(path) == bool(expression.fullmatch(path))


def test_many_stars_are_not_left_to_expressions() -> None:
    glob = deep_glob("*a" * 30 + "/**/x")
    assert not glob.matches("a" * 3000)
    assert glob.matches("a" * 3000 + "/x")


@pytest.mark.parametrize(
    ("pattern", "wild", "folder", "plain"),
    [
        ("a/b/c", False, "a/b", "a/b/c"),
        ("a/b*/c", True, "a", "a/b*/c"),
        (r"a\*/b", False, "a*", "a*/b"),
        ("*", True, "", "*"),
        ("a/[b]", True, "a", "a/[b]"),
        ("a?", True, "", "a?"),
        ("a", False, "", "a"),
    ],
)
def test_where_to_begin_to_look(pattern: str, wild: bool, folder: str, plain: str) -> None:  # noqa: FBT001  a row
    assert has_wildcards(pattern) is wild
    head, rest = literal_folder(pattern)
    assert head == folder
    assert pattern.endswith(rest)
    assert unescaped(pattern) == plain


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [("", "."), ("a//b/", "a/b"), ("//a", "/a"), ("/..", "/"), ("a/../..", ".."), ("./a", "a"), ("/", "/")],
)
def test_clean_paths(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


def test_ranges() -> None:
    assert Ranges((("a", "b"),)).accepts("b")
    assert not Ranges((("a", "b"),), negated=True).accepts("b")


@pytest.mark.parametrize("path", ["plain", "a[1].txt", r"back\slash*", "what?", r"\[", ""])
def test_escaped_it_means_itself_alone(path: str) -> None:
    assert not has_wildcards(escaped(path))
    assert unescaped(escaped(path)) == path
