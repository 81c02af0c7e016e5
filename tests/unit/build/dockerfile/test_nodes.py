from __future__ import annotations

from havre.build.dockerfile.errors import Location
from havre.build.dockerfile.nodes import Directive, Document, Heredoc, Node


def test_tabs_go_only_where_asked() -> None:
    content = "\t\tone\n\ttwo\n  three\n"
    assert Heredoc("E", content=content).stripped == content
    assert Heredoc("E", chomp=True, content=content).stripped == "one\ntwo\n  three\n"


def test_only_line_feeds_end_lines() -> None:
    assert Heredoc("E", chomp=True, content="\ta\x0c\tb\r\n\tc").stripped == "a\x0c\tb\r\nc"


def test_the_name_is_in_upper_case() -> None:
    assert Node("rUn", "rUn x", Location(1, 1)).name == "RUN"


def test_directives_by_name() -> None:
    document = Document((), (Directive("syntax", "x", Location(1, 1)),))
    assert document.directive("syntax") == "x"
    assert document.directive("check") is None
