from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.globs import Glob, deep_glob
from havre.build.dockerfile.ignore import Ignore, Rule, Verdict

PATTERNS = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "!", "?", ".", "[ab]"]), max_size=5).map("".join)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", ".a"]), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("", "a", False),
        ("a", "a", True),
        ("a", "a/b", True),
        ("a", "b/a", False),
        ("/a/", "a/b", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README.md", "x.md", True),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        ("*/temp*", "x/temporary", True),
        ("*/temp*", "x/y/temporary", False),
        ("*/*/temp*", "x/y/temporary", True),
        ("temp?", "tempa", True),
        ("**/*.go", "a.go", True),
        ("*\n!src\nsrc/secret", "src/a", False),
        ("*\n!src\nsrc/secret", "src/secret", True),
        ("node_modules\n!node_modules/keep", "node_modules/keep/x", False),
        ("src/*\n!src", "src/a", True),
        ("# a\n  b  ", "b", True),
        ("# a", "a", False),
        (" # a", "# a", True),
        ("\ufeffa", "a", True),
        ("a\r\nb\r\n", "b", True),
        ("a/../b", "b", True),
        ("! a\na\n!  a", "a", False),
        (".", "a", False),
        ("..", "a", False),
        ("/", "a", False),
    ],
)
def test_files(text: str, path: str, ignored: bool) -> None:  # noqa: FBT001  a row
    assert Ignore.read(text).ignores(path) is ignored


@pytest.mark.parametrize(
    ("text", "message"), [("!", 'illegal exclusion pattern: "!"'), ("a[", "syntax error in pattern")]
)
def test_what_is_no_pattern(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=f"^{message.replace('[', '.')}$"):
        Ignore.read(text)


def test_exceptions() -> None:
    assert Ignore.read("a\n!b").has_exceptions
    assert not Ignore.read("a").has_exceptions


@pytest.mark.parametrize(
    ("text", "folder", "kept"),
    [
        ("a", "a", False),
        ("*\n!a/b", "a", True),
        ("*\n!a/b", "c", False),
        ("*\n!a/b", "a/b/c", True),
        ("*\n!**/b", "c", True),
        ("*\n!a/*/b", "a/x", True),
        ("*\n!\\a", "b", True),
    ],
)
def test_folders_that_need_not_be_read(text: str, folder: str, kept: bool) -> None:  # noqa: FBT001  a row
    assert Ignore.read(text).may_keep_below(folder) is kept


def test_a_walk_gives_what_a_path_gives() -> None:
    ignore = Ignore.read("a\n!a/b")
    above = ignore.verdict("a", None)
    assert above == Verdict(ignored=True, matched=frozenset({0}))
    assert ignore.verdict("a/b", above) == Verdict(ignored=False, matched=frozenset({0, 1}))


@given(st.lists(PATTERNS, max_size=4), PATHS)
def test_what_is_kept_is_found_by_a_walk_that_skips(patterns: list[str], path: str) -> None:
    try:
        ignore = Ignore.of(patterns)
    except DockerfileError:
        return
    names = path.split("/")
    above: Verdict | None = None
    for count in range(1, len(names)):
        folder = "/".join(names[:count])
        above = ignore.verdict(folder, above)
        if above.ignored and not ignore.may_keep_below(folder):
            assert ignore.ignores(path)
            return
    assert ignore.verdict(path, above).ignored == ignore.ignores(path)


def test_patterns_that_could_be_slow_are_tried_one_by_one() -> None:
    ignore = Ignore.read("*a*a*a*a\nb")
    assert ignore.ignores("aaaa")
    assert ignore.ignores("b")
    assert not ignore.ignores("c" * 1000)


def test_of_many_rules_only_those_are_tried_that_may_match() -> None:
    tried: list[str] = []

    def rule(number: int) -> Rule:
        glob = deep_glob(f"folder{number}/*.x")

        def matches(path: str) -> bool:
            tried.append(path)
            return glob.matches(path)

        return Rule(Glob(glob.pattern, matches))

    ignore = Ignore(tuple(map(rule, range(10_000))))
    assert ignore.ignores("folder77/a.x")
    assert not ignore.ignores("other/a.x")
    assert tried == ["folder77", "folder77/a.x"]


def test_many_wild_rules() -> None:
    ignore = Ignore.of(f"*.{number}" for number in range(1000))
    assert ignore.ignores("a.999")
    assert not ignore.ignores("a.1000")
