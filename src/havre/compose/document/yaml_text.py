"""YAML to nodes, with the scalars of YAML 1.2's core schema and the merge key `<<`.

The libyaml parser gives events; the tree is built here, so that every node keeps its line, a key that stands twice is
an error, and an alias bomb is refused before anything walks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from havre.compose.document.nodes import Items, Node, Place, Scalar, Table, fault
from havre.compose.errors import InvalidFile

MAX_BYTES = 1 << 20
MAX_NODES = 200_000
_MAX_DEPTH = 200
_STANDARD = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(f"{_STANDARD}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))
_OWN_TAGS = frozenset({"!reset", "!override"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}\Z", re.ASCII)
_OCTAL, _HEX = re.compile(r"0o?[0-7]{1,300}\Z"), re.compile(r"0x[0-9a-fA-F]{1,300}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_WORDS: dict[str, bool | float | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip


def read_yaml(text: str, file: str) -> Table:
    """The one mapping that *text* holds (an empty one for an empty text). Raises InvalidFile."""
    if len(text) > MAX_BYTES:
        raise InvalidFile(f"{file}: too large: more than {MAX_BYTES >> 20} MiB")
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        root = _Builder(file, yaml.parse(text, loader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidFile(f"{file}:{mark.line + 1 if mark else 1}: yaml: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise InvalidFile(f"{file}: yaml: {str(error).splitlines()[0]}") from error
    if isinstance(root, Scalar) and root.value is None:
        return Table({}, root.place)
    if not isinstance(root, Table):
        raise fault(root, (), "top-level object must be a mapping")
    return root


class _Builder:
    def __init__(self, file: str, events: Iterator[Event]) -> None:
        self._file, self._events = file, events
        self._anchors: dict[str, Node | None] = {}
        self._sizes: dict[int, int] = {}
        self._depth = 0

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise fault(self._place(event), (), "only one document is allowed in a compose file")
                root = self._node(next(self._events))
        return root or Scalar(None, Place(self._file, 1))

    def _place(self, event: Event) -> Place:
        return Place(self._file, event.start_mark.line + 1 if event.start_mark else 1)

    def _node(self, event: Event) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        if anchor:
            self._anchors[anchor] = None
        made: Node
        if isinstance(event, ScalarEvent):
            made = self._scalar(event)
            self._weigh(made, 1, event)
        else:
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise fault(self._place(event), (), f"nested more than {_MAX_DEPTH} levels deep")
            made = self._collection(event)
            self._depth -= 1
        if anchor:
            self._anchors[anchor] = made
        return made

    def _collection(self, event: Event) -> Node:
        if isinstance(event, MappingStartEvent):
            return self._mapping(event)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(event)
        raise fault(self._place(event), (), "a value expected")

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise fault(self._place(event), (), f"unknown anchor '{event.anchor}' referenced")
        node = self._anchors[event.anchor]
        if node is None:
            raise fault(self._place(event), (), f"anchor '{event.anchor}' contains itself")
        return node

    def _weigh(self, node: Node, size: int, event: Event) -> None:
        """Count a node with all that its aliases stand for."""
        if size > MAX_NODES:
            raise fault(self._place(event), (), f"too large: more than {MAX_NODES} nodes")
        self._sizes[id(node)] = size

    def _scalar(self, event: ScalarEvent) -> Scalar:
        tag, place = event.tag or "", self._place(event)
        if tag in _OWN_TAGS:
            plain = not event.style
            return Scalar(plain_value(event.value) if plain else event.value, place, tag)
        if tag in (f"{_STANDARD}str", "!") or (event.style and not tag):
            return Scalar(event.value, place)
        if tag and tag not in _KNOWN_TAGS:
            raise fault(place, (), f"unknown tag {tag.replace(_STANDARD, '!!')}")
        return Scalar(plain_value(event.value), place)

    def _own_tag(self, event: MappingStartEvent | SequenceStartEvent) -> str:
        tag = event.tag or ""
        if tag and tag not in _OWN_TAGS | _KNOWN_TAGS:
            raise fault(self._place(event), (), f"unknown tag {tag.replace(_STANDARD, '!!')}")
        return tag if tag in _OWN_TAGS else ""

    def _sequence(self, event: SequenceStartEvent) -> Items:
        items: list[Node] = []
        size = 1
        while not isinstance(following := next(self._events), SequenceEndEvent):
            items.append(self._node(following))
            size += self._sizes[id(items[-1])]
            if size > MAX_NODES:
                break
        made = Items(tuple(items), self._place(event), self._own_tag(event))
        self._weigh(made, size, event)
        return made

    def _mapping(self, event: MappingStartEvent) -> Table:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Table] = []
        size = 1
        while not isinstance(following := next(self._events), MappingEndEvent):
            place, key = self._place(following), self._key(following)
            value = self._node(next(self._events))
            if key == "<<":
                merged += _merge_sources(value)
                continue
            if key in entries:
                raise fault(place, (), f"mapping key {key!r} already defined at line {keys[key].line}")
            entries[key], keys[key] = value, place
            size += 1 + self._sizes[id(value)]
            if size > MAX_NODES:
                break
        for source in merged:
            for key in source.entries.keys() - entries.keys():
                size += 1 + self._sizes[id(source.entries[key])]
            entries = {**source.entries, **entries}
            keys = {**source.keys, **keys}
        made = Table(entries, self._place(event), self._own_tag(event), keys)
        self._weigh(made, size, event)
        return made

    def _key(self, event: Event) -> str:
        if isinstance(event, ScalarEvent):
            return event.value
        node = self._node(event)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        raise fault(self._place(event), (), "a key must be a string")


def _merge_sources(value: Node) -> list[Table]:
    """The tables that `<<` names, the strongest first."""
    found = value.items if isinstance(value, Items) else (value,)
    tables = [node for node in found if isinstance(node, Table)]
    if len(tables) != len(found):
        raise fault(value, (), "a mapping or a list of mappings expected behind <<")
    return tables


def plain_value(text: str) -> str | int | float | bool | None:
    """A plain scalar by YAML 1.2's core schema (section 10.3.2), and `0644` in octal, as file modes are written."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in "+-.0123456789":
        return text
    if _OCTAL.match(text):
        return int(text.removeprefix("0o"), 8)
    if _INTEGER.match(text):
        return int(text)
    if _HEX.match(text):
        return int(text, 0)
    return float(text) if _FLOAT.match(text) else text
