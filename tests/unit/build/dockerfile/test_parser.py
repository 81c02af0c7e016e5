from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.build.dockerfile.errors import DockerfileError, Location, ParseError
from havre.build.dockerfile.nodes import Heredoc, Node, Pair
from havre.build.dockerfile.parser import announced, decode, make_node, parse
from tests.support.parsed import render

LINES = st.sampled_from(
    ["FROM a", "RUN b", "RUN c \\", "  d", "# e", "", " ", "\\", "COPY <<E x", "E", "ENV a=b", "ONBUILD RUN <<E", "\\ "]
)
WORDS = st.text("ab1/._$-", min_size=1, max_size=5).filter(lambda word: not word.startswith("-"))


def places(text: str) -> list[tuple[str, int, int]]:
    return [(node.text, node.location.first, node.location.last) for node in parse(text).nodes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nRUN b", [("FROM a", 1, 1), ("RUN b", 2, 2)]),
        ("FROM a\r\nRUN b\r\n", [("FROM a", 1, 1), ("RUN b", 2, 2)]),
        ("\ufeffFROM a", [("FROM a", 1, 1)]),
        ("\n# x\n  FROM a\n\n", [("FROM a", 3, 3)]),
        ("RUN a \\\n  b \\ \t\nc", [("RUN a   b c", 1, 3)]),
        ("RUN a\\\n# x\n  # y\nb", [("RUN ab", 1, 4)]),
        ("RUN a \\", [("RUN a ", 1, 1)]),
        ("RUN a \\\n", [("RUN a ", 1, 1)]),
        ("RUN a \\\\\nRUN b", [("RUN a \\\\", 1, 1), ("RUN b", 2, 2)]),
        ("\\\nRUN a", [("RUN a", 1, 2)]),
        ("RUN a \\\n\\\nb", [("RUN a b", 1, 3)]),
        ("RUN <<A <<B\nx\nA\ny\nB\nRUN c", [("RUN <<A <<B", 1, 5), ("RUN c", 6, 6)]),
        ("# escape=`\nRUN a `\nb\nRUN c\\\n", [("RUN a b", 2, 3), ("RUN c\\", 4, 4)]),
    ],
)
def test_lines(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert places(text) == expected


def test_empty_continuation_lines_are_noted() -> None:
    document = parse("RUN a \\\n\n  \nb\nRUN c\\\n# x\nd")
    assert [node.text for node in document.nodes] == ["RUN a b", "RUN cd"]
    assert document.empty_continuations == (Location(4, 4),)


def test_directives() -> None:
    document = parse("# syntax=a\n# ESCAPE=`\n# x\n# check=y\nFROM a")
    assert (document.directive("syntax"), document.escape, document.directive("check")) == ("a", "`", None)


def test_a_directive_is_read_at_the_top_only() -> None:
    assert parse("\n# escape=`\nFROM a").escape == "\\"
    assert parse("FROM a\n# escape=`").escape == "\\"


def test_comments_belong_to_the_instruction_below_them() -> None:
    text = "# syntax=x\n# one\n#two\nFROM a\nRUN b\n# three\n\nRUN c\n# four\n#\n# five\nRUN d \\\n# six\ne"
    assert [node.comments for node in parse(text).nodes] == [("one", "two"), (), (), ("five",)]


@pytest.mark.parametrize(
    ("text", "words", "is_json"),
    [
        ("FROM a  AS b", ("a", "AS", "b"), False),
        ("RUN a  b", ("a  b",), False),
        ('RUN ["a", "b"]', ("a", "b"), True),
        ("RUN ['a']", ("['a']",), False),
        ("CMD", (), False),
        ('ENTRYPOINT [ "a" ]', ("a",), True),
        ('SHELL ["a"]', ("a",), True),
        ("COPY a b  c", ("a", "b", "c"), False),
        ('ADD ["a b", "c"]', ("a b", "c"), True),
        ('VOLUME ["/a"]', ("/a",), True),
        ("VOLUME /a /b", ("/a", "/b"), False),
        ("EXPOSE 80 81/udp", ("80", "81/udp"), False),
        ("ARG a b='1 2'", ("a", "b='1 2'"), False),
        ("USER a b", ("a b",), False),
        ("WORKDIR /a b", ("/a b",), False),
        ("STOPSIGNAL 9", ("9",), False),
        ("MAINTAINER A <b@c>", ("A <b@c>",), False),
        ("HEALTHCHECK", (), False),
        ("HEALTHCHECK none", ("none",), False),
        ('HEALTHCHECK --retries=1 CMD ["a"]', ("CMD", "a"), True),
        ("HEALTHCHECK CMD  a  b", ("CMD", "a  b"), False),
        ("UNKNOWN a", (), False),
    ],
)
def test_words(text: str, words: tuple[str, ...], is_json: bool) -> None:  # noqa: FBT001
    (node,) = parse(text).nodes
    assert (node.words, node.is_json) == (words, is_json)


def test_pairs() -> None:
    (node,) = parse('LABEL a=1 "b c"="d e"').nodes
    assert node.pairs == (Pair("a", "1"), Pair('"b c"', '"d e"'))


def test_onbuild_holds_an_instruction() -> None:
    (node,) = parse("ONBUILD COPY --from=a <<E /x\nb\nE\n").nodes
    assert node.trigger is not None
    assert (node.trigger.keyword, node.trigger.flags, node.trigger.words) == ("COPY", ("--from=a",), ("<<E", "/x"))
    assert node.heredocs == node.trigger.heredocs == (Heredoc("E", content="b\n"),)
    assert parse("ONBUILD").nodes[0].trigger is None


def test_heredocs() -> None:
    text = "RUN cat <<-A 3<<'B'\n\tx\n\tA\n# no comment \\\n\n B\nB\nRUN c"
    first, second = parse(text).nodes
    assert first.heredocs == (
        Heredoc("A", chomp=True, content="\tx\n"),
        Heredoc("B", 3, expand=False, content="# no comment \\\n\n B\n"),
    )
    assert (first.location, second.location) == (Location(1, 7), Location(8, 8))


def test_a_heredoc_may_end_with_the_file() -> None:
    assert parse("RUN <<E\r\na\r\nE").nodes[0].heredocs[0].content == "a\r\n"


@pytest.mark.parametrize("text", ["CMD <<E", 'RUN ["<<E"]', "ENV a=<<E", "ONBUILD CMD <<E", "RUN '<<E'", "ONBUILD"])
def test_no_heredocs(text: str) -> None:
    assert announced(make_node(text, Location(1, 1), "\\")) == []


@pytest.mark.parametrize(
    ("text", "message", "location"),
    [
        ("", "file with no instructions", Location(1, 1)),
        ("# x\n\n", "file with no instructions", Location(2, 2)),
        ("FROM a\nRUN <<E\nb\n", "dockerfile parse error on line 2: unterminated heredoc", Location(2, 3)),
        ("FROM a\nENV \\\n a", "dockerfile parse error on line 2: ENV must have two arguments", Location(2, 3)),
        (
            'CMD ["a", []]',
            "dockerfile parse error on line 1: when using JSON array syntax, arrays must be comprised of strings only",
            Location(1, 1),
        ),
        (
            "#check=a\n#check=b",
            "dockerfile parse error on line 2: only one check parser directive can be used",
            Location(2, 2),
        ),
    ],
)
def test_what_is_refused(text: str, message: str, location: Location) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.location) == (message, location)


def test_bytes() -> None:
    assert decode(b"\xef\xbb\xbfFROM \xff") == "FROM \ufffd"
    assert parse(decode(b"\xef\xbb\xbfFROM a")).nodes[0].keyword == "FROM"


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_every_line_belongs_to_one_instruction_at_most(text: str) -> None:
    try:
        nodes = parse(text).nodes
    except DockerfileError as error:
        assert not isinstance(error, ParseError) or error.location is not None
        return
    end = 0
    for node in nodes:
        assert end < node.location.first <= node.location.last <= text.count("\n") + 1
        end = node.location.last


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse(text).nodes
    except DockerfileError as error:
        assert error.message


def nodes_of_words() -> st.SearchStrategy[Node]:
    here = Location(1, 1)
    listed = st.lists(WORDS, min_size=1, max_size=3).map(tuple)
    pairs = st.lists(st.builds(Pair, WORDS, WORDS), min_size=1, max_size=3).map(tuple)
    plain = st.builds(
        lambda keyword, flags, words: Node(keyword, "", here, flags=flags, words=words),
        st.sampled_from(["COPY", "add", "VOLUME", "EXPOSE", "From", "ARG"]),
        st.lists(WORDS.map("--x={}".format), max_size=2).map(tuple),
        listed,
    )
    json = st.builds(
        lambda keyword, words: Node(keyword, "", here, words=words, is_json=True),
        st.sampled_from(["RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "VOLUME"]),
        st.lists(st.text(max_size=5), max_size=3).map(tuple),
    )
    named = st.builds(lambda found: Node("ENV", "", here, pairs=found), pairs)
    document = st.builds(
        lambda content: Node(
            "RUN", "", here, words=("<<EOF",), heredocs=(Heredoc("EOF", content="".join(f"{x}\n" for x in content)),)
        ),
        st.lists(st.text("ab\\# \t", max_size=5), max_size=3),
    )
    return st.one_of(plain, json, named, document)


@given(st.lists(nodes_of_words(), min_size=1, max_size=4), st.sampled_from(["\\", "`"]))
def test_what_was_written_is_read_again(nodes: list[Node], escape: str) -> None:
    written = "".join(map(render, nodes))
    read = parse(f"# escape={escape}\n{written}")
    assert [render(node) for node in read.nodes] == [render(node) for node in nodes]
    assert [(n.flags, n.words, n.pairs, n.is_json, n.heredocs) for n in read.nodes] == [
        (n.flags, n.words, n.pairs, n.is_json, n.heredocs) for n in nodes
    ]


def test_a_long_file_is_read_line_by_line() -> None:
    text = "FROM a\n" + "RUN b \\\n# c\n\n d\n" * 2000 + "RUN " + "x \\\n" * 20000 + "y"
    nodes = parse(text).nodes
    assert len(nodes) == 2002
    assert nodes[-1].location == Location(8002, 28002)
