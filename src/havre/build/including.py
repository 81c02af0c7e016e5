"""INCLUDE: Havre's own instruction, in Dockerfiles that begin with `# syntax=havre/dockerfile`.

`INCLUDE path` stands for the instructions of another file of the context. The path may hold ARGs and ENVs that stand
above it. Other builders refuse such a file by its syntax line, so that no Dockerfile means two things.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from havre.build.dockerfile.errors import DockerfileError, ParseError
from havre.build.dockerfile.instructions import Arg
from havre.build.dockerfile.nodes import Document, Node
from havre.build.dockerfile.parser import decode, parse
from havre.build.dockerfile.reading import read
from havre.build.dockerfile.shell_words import Lexer

SYNTAX: Final = "havre/dockerfile"
_KEYWORD: Final = "INCLUDE"
_DEEPEST: Final = 16

Find = Callable[[str], bytes | None]
"""Gives the content of a file of the context, or None."""


def with_included(document: Document, find: Find, given: Mapping[str, str]) -> Document:
    """*document* with every INCLUDE replaced; *given* are the build's arguments. Raises DockerfileError."""
    if (document.directive("syntax") or "").partition(":")[0] != SYNTAX:
        return document
    including = _Including(find, given, Lexer(escape=document.escape))
    return replace(document, nodes=tuple(including.nodes(document.nodes, ())))


class _Including:
    def __init__(self, find: Find, given: Mapping[str, str], lexer: Lexer) -> None:
        self._find = find
        self._given = given
        self._lexer = lexer
        self._known: dict[str, str] = {}

    def nodes(self, nodes: tuple[Node, ...], above: tuple[str, ...]) -> Iterator[Node]:
        """The nodes in their order; *above* are the files that lead here."""
        for node in nodes:
            if node.name == _KEYWORD:
                yield from self._included(node, above)
                continue
            self._learn(node)
            yield node

    def _included(self, node: Node, above: tuple[str, ...]) -> Iterator[Node]:
        written = node.text[len(node.keyword) :].strip()
        path = self._lexer.expand(written, self._known).text
        if not path:
            raise ParseError(f"{_KEYWORD} requires exactly one argument", node.location)
        if path in above or len(above) >= _DEEPEST:
            raise ParseError(
                f"{_KEYWORD} {path}: the file includes itself: {' -> '.join((*above, path))}", node.location
            )
        data = self._find(path)
        if data is None:
            raise ParseError(f"{_KEYWORD} {path}: no such file in the build context", node.location)
        try:
            inner = parse(decode(data)).nodes
            yield from self.nodes(tuple(replace(one, location=node.location) for one in inner), (*above, path))
        except DockerfileError as error:
            raise ParseError(f"{path}: {error.reason}", node.location) from None

    def _learn(self, node: Node) -> None:
        """What ARG and ENV say from here on."""
        if node.name == "ENV":
            for pair in node.pairs:
                self._known[pair.name] = self._lexer.expand(pair.value, self._known).text
        if node.name != "ARG":
            return
        instruction = read(node)
        if isinstance(instruction, Arg):
            for one in instruction.declarations:
                default = None if one.default is None else self._lexer.expand(one.default, self._known).text
                value = self._given.get(one.name, default)
                if value is not None:
                    self._known[one.name] = value
