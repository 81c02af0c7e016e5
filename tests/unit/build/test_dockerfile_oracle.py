"""The same texts to Havre and to a port of BuildKit's and moby's own readers (e2b-dockerfile-utils)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.nodes import Node
from havre.build.dockerfile.parser import parse
from havre.build.dockerfile.shell_words import Lexer

syntax = pytest.importorskip("e2b_dockerfile_utils.syntax")
lexer = pytest.importorskip("e2b_dockerfile_utils.lexer")
dockerignore = pytest.importorskip("e2b_dockerfile_utils.dockerignore")

VALUES = {"A": "aba", "B": "", "C": "x y  z", "long": "foo/bar/baz.tar.gz"}
SIGNS = [
    "$",
    "{",
    "}",
    "A",
    "B",
    "C",
    "long",
    "unset",
    ":",
    "-",
    "+",
    "?",
    "#",
    "%",
    "/",
    "'",
    '"',
    "\\",
    " ",
    "<<",
    "a",
]
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=8).map("".join)
INSIDE = st.builds(
    "${{{}{}{}}}".format,
    st.sampled_from(["A", "B", "long", "u"]),
    st.sampled_from([":-", "-", "+", ":+", "#", "##", "%", "%%", "/", "//", "?", ":?"]),
    TEXTS,
)
PATTERNS = st.lists(
    st.lists(st.sampled_from(["a", "b", "/", "*", "**", "?", "[ab]", "!", "\\*", "**/"]), min_size=1, max_size=6)
    .map("".join)
    .map(lambda pattern: pattern.lstrip("/")),
    min_size=1,
    max_size=3,
)
PATHS = st.lists(st.text("ab*", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)
LINES = st.lists(
    st.sampled_from(
        [
            "FROM a AS b",
            "RUN a \\",
            "  b",
            "# c",
            "",
            "COPY --chown=a --from='b c' d <<E /x",
            "E",
            'RUN ["a", "b"]',
            "RUN [a]",
            "ENV a=b 'c d'=e",
            "LABEL f",
            'ARG a="b c" d',
            "RUN <<-E",
            "\tE",
            "HEALTHCHECK --retries=1 CMD a  b",
            "EXPOSE 80  90",
            "# escape=`",
            "WORKDIR /a`",
            'VOLUME ["/a", 1]',
            "x\r",
        ]
    ),
    max_size=7,
).map("\n".join)


def outcome(work: Any) -> Any:
    try:
        return work()
    except ValueError:
        return ValueError
    except DockerfileError:
        return ValueError


@settings(max_examples=500)
@given(st.one_of(TEXTS, INSIDE))
def test_words(text: str) -> None:
    theirs = outcome(lambda: lexer.ShellLex("\\", env=VALUES, skip_unset_env=False).process_word(text))
    ours = outcome(lambda: Lexer().expand(text, VALUES).text)
    if "//" in text and theirs != ours:  # an empty match right behind another one: Go, unlike Python, leaves it out
        return
    assert ours == theirs


@settings(max_examples=500)
@given(PATTERNS, PATHS)
def test_ignored_paths(patterns: list[str], path: str) -> None:
    theirs = outcome(lambda: dockerignore.PatternMatcher(patterns).matches(path))
    assert outcome(lambda: Ignore.of(patterns).ignores(path)) == theirs


def ours_of(text: str) -> list[tuple[Any, ...]]:
    try:
        nodes = parse(text).nodes
    except DockerfileError as error:
        if error.reason == "file with no instructions":
            return []
        raise
    return [shape(node) for node in nodes]


def shape(node: Node) -> tuple[Any, ...]:
    words = [
        *node.words,
        *(part for pair in node.pairs for part in (pair.name, pair.value, "" if pair.legacy else "=")),
    ]
    heredocs = [(one.name, one.content, one.chomp, one.expand, one.descriptor) for one in node.heredocs]
    return (
        node.name,
        node.text,
        list(node.flags),
        words,
        node.is_json,
        heredocs,
        node.location.first,
        node.location.last,
    )


def theirs_of(text: str) -> list[tuple[Any, ...]]:
    return [
        (
            one.name,
            one.original,
            one.flags,
            one.args,
            one.json,
            [(doc.name, doc.content, doc.chomp, doc.expand, doc.file_descriptor) for doc in one.heredocs],
            one.start_line,
            one.end_line,
        )
        for one in syntax.parse_dockerfile_ast(text).instructions
    ]


@settings(max_examples=500)
@given(LINES)
def test_whole_files(text: str) -> None:
    theirs = outcome(lambda: theirs_of(text))
    if theirs is not ValueError:
        assert ours_of(text) == theirs
