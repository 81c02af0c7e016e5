"""Text -> nodes: lines joined, comments dropped, directives and heredocs read, words told apart."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from havre.build.dockerfile.directives import Directives
from havre.build.dockerfile.errors import DockerfileError, Location, ParseError
from havre.build.dockerfile.heredocs import heredocs_of
from havre.build.dockerfile.nodes import DEFAULT_ESCAPE, Document, Heredoc, Node, Pair
from havre.build.dockerfile.spaces import first_word, strip, strip_left
from havre.build.dockerfile.words import blank_words, cut_line, json_words, pairs, quoted_words

_BOM: Final = "\ufeff"
_WITH_HEREDOCS: Final = frozenset({"ADD", "COPY", "RUN"})


def decode(data: bytes) -> str:
    """The text of a Dockerfile: UTF-8, without byte-order mark; what is no UTF-8 becomes U+FFFD."""
    return data.decode("utf-8-sig", "replace")


def parse(text: str) -> Document:
    """Raises DockerfileError, with the lines that are to blame."""
    return _Reader(text).document()


class _Reader:
    """One pass over the lines of a text."""

    def __init__(self, text: str) -> None:
        lines = text.removeprefix(_BOM).split("\n")
        self._lines = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        self._next = 0
        self._directives = Directives()
        self._escape = DEFAULT_ESCAPE
        self._comments: list[str] = []
        self._nodes: list[Node] = []
        self._empty: list[Location] = []

    def document(self) -> Document:
        while self._next < len(self._lines):
            self._statement()
        if not self._nodes:
            raise DockerfileError("file with no instructions", Location.line(max(1, self._next)))
        return Document(tuple(self._nodes), tuple(self._directives.found), self._escape, tuple(self._empty))

    def _statement(self) -> None:
        """A directive, a comment, an empty line or an instruction with all that belongs to it."""
        line = strip_left(self._take())
        first = self._next
        if line.startswith("#"):
            self._comment(line, first)
            return
        self._directives.read(line, first)
        text, goes_on = self._cut_continuation(line)
        if not goes_on and not text:
            self._comments.clear()
            return
        text = self._joined(text) if goes_on else text
        self._add(text, first)

    def _comment(self, line: str, number: int) -> None:
        directive = self._directives.read(line, number)
        if directive is not None:
            self._escape = directive.value if directive.name == "escape" else self._escape
            return
        comment = strip(line[1:])
        if comment:
            self._comments.append(comment)
        else:
            self._comments.clear()

    def _joined(self, text: str) -> str:
        parts = [text]
        goes_on, empty = True, False
        while goes_on and self._next < len(self._lines):
            line = self._take()
            begun = strip_left(line)
            if begun.startswith("#"):
                continue
            if not begun:
                empty = True
                continue
            part, goes_on = self._cut_continuation(line)
            parts.append(part)
        if empty:
            self._empty.append(Location.line(self._next))
        return "".join(parts)

    def _add(self, text: str, first: int) -> None:
        try:
            node = make_node(text, Location(first, self._next), self._escape, tuple(self._comments))
            heredocs = tuple(self._filled(heredoc) for heredoc in announced(node))
        except DockerfileError as error:
            raise ParseError(error.reason, Location(first, self._next)) from None
        if heredocs:
            node = with_heredocs(node, heredocs, Location(first, self._next))
        self._nodes.append(node)
        self._comments.clear()

    def _filled(self, heredoc: Heredoc) -> Heredoc:
        lines: list[str] = []
        while self._next < len(self._lines):
            line = self._lines[self._next]
            self._next += 1
            end = line.rstrip("\r\n")
            if (end.lstrip("\t") if heredoc.chomp else end) == heredoc.name:
                return replace(heredoc, content="".join(lines))
            lines.append(line)
        raise DockerfileError("unterminated heredoc")

    def _take(self) -> str:
        line = self._lines[self._next].rstrip("\r\n")
        self._next += 1
        return line

    def _cut_continuation(self, line: str) -> tuple[str, bool]:
        """*line* without the escape sign at its end, and whether the next line belongs to it."""
        end = line.rstrip(" \t")
        if end.endswith(self._escape) and end[-2:-1] != self._escape:
            return end[:-1], True
        return line, False


def make_node(text: str, location: Location, escape: str, comments: tuple[str, ...] = ()) -> Node:
    """The node of one whole instruction, heredocs still missing. Raises DockerfileError without a location."""
    node, rest = _cut(text, location, escape)
    trigger = None
    if node.name == "ONBUILD" and rest:
        trigger, _ = _cut(rest, location, escape)  # one in a trigger is refused later: what it holds does not matter
    return replace(node, trigger=trigger, comments=comments)


def _cut(text: str, location: Location, escape: str) -> tuple[Node, str]:
    """The node without what ONBUILD holds, and the text behind its flags."""
    line = cut_line(text, escape)
    keyword = line.keyword.upper()
    words, found, is_json = _WORDS.get(keyword, _nothing)(line.rest, escape, keyword)
    node = Node(line.keyword, text, location, flags=line.flags, words=words, pairs=found, is_json=is_json)
    return node, line.rest


def announced(node: Node) -> list[Heredoc]:
    """The heredocs that belong to *node*, empty: those of RUN, COPY and ADD in shell form, or of such a trigger."""
    inner = node.trigger if node.name == "ONBUILD" and node.trigger is not None else node
    return heredocs_of(node.text) if inner.name in _WITH_HEREDOCS and not inner.is_json else []


def with_heredocs(node: Node, heredocs: tuple[Heredoc, ...], location: Location) -> Node:
    """*node* with its documents, and the lines that they reach to."""
    trigger = None if node.trigger is None else with_heredocs(node.trigger, heredocs, location)
    return replace(node, heredocs=heredocs, location=location, trigger=trigger)


_Words = tuple[tuple[str, ...], tuple[Pair, ...], bool]


def _nothing(_text: str, _escape: str, _keyword: str) -> _Words:
    return (), (), False


def _one(text: str, _escape: str, _keyword: str) -> _Words:
    return ((text,) if text else ()), (), False


def _blank(text: str, _escape: str, _keyword: str) -> _Words:
    return blank_words(text), (), False


def _quoted(text: str, escape: str, _keyword: str) -> _Words:
    return tuple(quoted_words(text, escape)), (), False


def _pairs(text: str, escape: str, keyword: str) -> _Words:
    return (), pairs(keyword, text, escape), False


def _json_or_one(text: str, escape: str, keyword: str) -> _Words:
    words = json_words(text)
    return _one(text, escape, keyword) if words is None else (words, (), True)


def _json_or_blank(text: str, escape: str, keyword: str) -> _Words:
    words = json_words(text)
    return _blank(text, escape, keyword) if words is None else (words, (), True)


def _health(text: str, escape: str, keyword: str) -> _Words:
    kind, rest = first_word(text)
    if not kind:
        return (), (), False
    words, _, is_json = _json_or_one(rest, escape, keyword)
    return (kind, *words), (), is_json


_WORDS: Final[dict[str, Callable[[str, str, str], _Words]]] = {
    "ADD": _json_or_blank,
    "ARG": _quoted,
    "CMD": _json_or_one,
    "COPY": _json_or_blank,
    "ENTRYPOINT": _json_or_one,
    "ENV": _pairs,
    "EXPOSE": _blank,
    "FROM": _blank,
    "HEALTHCHECK": _health,
    "LABEL": _pairs,
    "MAINTAINER": _one,
    "RUN": _json_or_one,
    "SHELL": _json_or_one,
    "STOPSIGNAL": _one,
    "USER": _one,
    "VOLUME": _json_or_blank,
    "WORKDIR": _one,
}
