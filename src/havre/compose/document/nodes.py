"""A document as a tree: tables, lists and scalars, each with its place in a file."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from havre.compose.errors import InvalidFile

Path = tuple[str, ...]


class Place(Struct, frozen=True):
    """Where a node begins; the first line is 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Scalar(Struct, frozen=True):
    """A text, number, truth value or nothing. *tag* is `!reset`, `!override` or empty."""

    value: str | int | float | bool | None
    place: Place
    tag: str = ""


class Items(Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]
    place: Place
    tag: str = ""


class Table(Struct, frozen=True):
    """A mapping. *keys* tells where each key stands."""

    entries: Mapping[str, Node]
    place: Place
    tag: str = ""
    keys: Mapping[str, Place] = field(default_factory=dict)

    def get(self, key: str) -> Node | None:
        """The value of *key*, or None."""
        return self.entries.get(key)

    def place_of(self, key: str) -> Place:
        """Where *key* stands."""
        return self.keys.get(key, self.place)

    def having(self, entries: Mapping[str, Node]) -> Table:
        """The same table with other entries."""
        return replace(self, entries=entries)


Node = Scalar | Items | Table


def fault(node: Node | Place, path: Path, message: str) -> InvalidFile:
    """The error for *node*: file, line, path and what is wrong."""
    place = node if isinstance(node, Place) else node.place
    return InvalidFile(f"{place}: {dotted(path)}: {message}" if path else f"{place}: {message}")


def dotted(path: Path) -> str:
    """`services.web.ports[0]`."""
    made = ""
    for part in path:
        made += part if part.startswith("[") or not made else f".{part}"
    return made


def kind_of(node: Node) -> str:
    """What a user calls it."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    match node.value:
        case None:
            return "empty"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"


def is_empty(node: Node | None) -> bool:
    """Whether there is nothing, or only a key without a value."""
    return node is None or (isinstance(node, Scalar) and node.value is None)
