"""Lays one tree over another by the rules of the Compose specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from havre.compose.document.nodes import Items, Node, Path, Scalar, Table
from havre.compose.document.shapes import TEXTS, WHOLE, canonical, matches


def merge(base: Node, over: Node, path: Path = ()) -> Node | None:
    """*over* laid on *base*, both at *path*; None where `!reset` drops the attribute.

    Mappings are merged key by key, lists appended (those with a key in their entries: entry by entry), the rest
    replaced.
    """
    if over.tag == "!reset":
        return None
    over = canonical(over, path)
    if over.tag == "!override" or matches(path, WHOLE):
        return settled(over, path)
    base = canonical(base, path)
    if isinstance(base, Table) and isinstance(over, Table):
        return _tables(base, over, path)
    if isinstance(base, Items) and isinstance(over, Items):
        return _lists(base, over, path)
    if isinstance(over, Scalar) and over.value is None and not isinstance(base, Scalar):
        return base  # a key without a value adds nothing
    return settled(over, path)


def settled(node: Node, path: Path = ()) -> Node | None:
    """*node* without what is marked `!reset`, the tags gone."""
    if node.tag == "!reset":
        return None
    match node:
        case Table():
            kept = ((key, settled(value, (*path, key))) for key, value in node.entries.items())
            return replace(node, entries={key: value for key, value in kept if value is not None}, tag="")
        case Items():
            items = (settled(item) for item in node.items)
            return replace(node, items=tuple(item for item in items if item is not None), tag="")
        case Scalar():
            return replace(node, tag="") if node.tag else node


def _tables(base: Table, over: Table, path: Path) -> Table:
    if path[:1] == ("services",) and path[2:] == ("logging",) and _driver(over) not in ("", _driver(base)):
        base = Table({}, base.place)  # options of one driver mean nothing to another
    entries: dict[str, Node] = dict(base.entries)
    for key, value in over.entries.items():
        at = (*path, key)
        made = merge(entries[key], value, at) if key in entries else settled(value, at)
        if made is None:
            entries.pop(key, None)
        else:
            entries[key] = made
    return Table(entries, over.place, "", {**base.keys, **over.keys})


def _driver(table: Table) -> str:
    node = table.get("driver")
    return str(node.value) if isinstance(node, Scalar) else ""


def _lists(base: Items, over: Items, path: Path) -> Items:
    identity = _IDENTITIES.get(path[2:]) if path[:1] == ("services",) else None
    if path[:1] == ("networks",) and path[2:] == ("ipam", "config"):
        identity = _subnet
    if matches(path, TEXTS):
        identity = _text
    if identity is None:
        return replace(over, items=(*base.items, *_settled(over)), tag="")
    made: dict[object, Node] = {}
    for item in (*base.items, *_settled(over)):
        key = identity(item)
        before = made.get(key)
        made[key] = _entry(before, item) if before is not None else item
    return replace(over, items=tuple(made.values()), tag="")


def _settled(node: Items) -> list[Node]:
    return [item for item in (settled(one) for one in node.items) if item is not None]


def _entry(before: Node, item: Node) -> Node:
    """Two entries of the same identity: mappings are joined, else the later one stands."""
    if isinstance(before, Table) and isinstance(item, Table):
        return merge(before, item) or item
    return item


def _text(node: Node) -> object:
    return ("text", str(node.value)) if isinstance(node, Scalar) else _field(node, "path") or id(node)


def _field(node: Node, name: str) -> str:
    found = node.get(name) if isinstance(node, Table) else None
    return str(found.value) if isinstance(found, Scalar) and found.value is not None else ""


def _subnet(node: Node) -> object:
    return _field(node, "subnet") or id(node)


def _port(node: Node) -> object:
    """{host address, container port, host port, protocol}."""
    if isinstance(node, Table):
        fields = tuple(_field(node, name) for name in ("host_ip", "target", "published"))
        return (*fields, _field(node, "protocol") or "tcp")
    text, _, protocol = str(node.value if isinstance(node, Scalar) else "").partition("/")
    rest, _, target = text.rpartition(":")
    host, _, published = rest.rpartition(":")
    return host, target, published, protocol or "tcp"


def _mounted(node: Node) -> object:
    """The target of a volume or device."""
    if isinstance(node, Table):
        return _field(node, "target").rstrip("/") or id(node)
    parts = str(node.value if isinstance(node, Scalar) else "").split(":")
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("/")


def _granted(node: Node) -> object:
    """The target of a secret or config."""
    if isinstance(node, Table):
        return _field(node, "target") or _field(node, "source")
    return str(node.value) if isinstance(node, Scalar) else id(node)


_IDENTITIES: Mapping[Path, Callable[[Node], object]] = {
    ("ports",): _port,
    ("volumes",): _mounted,
    ("devices",): _mounted,
    ("secrets",): _granted,
    ("configs",): _granted,
    ("build", "secrets"): _granted,
}
