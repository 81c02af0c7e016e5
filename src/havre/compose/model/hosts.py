"""Further names for /etc/hosts."""

from __future__ import annotations

from collections.abc import Mapping

from havre.compose.document.nodes import Items, Node, Path, Scalar, fault
from havre.compose.document.shapes import pairs
from havre.compose.model import readers as read


def extra_hosts(node: Node, path: Path) -> Mapping[str, tuple[str, ...]]:
    """`NAME=ADDRESS` or `NAME:ADDRESS` in a list, or a mapping to one or several addresses."""
    made = pairs(node, hosts=True)
    found = read.mapping_of(_addresses)(made, path)
    for name, addresses in found.items():
        if not name or not all(addresses):
            raise fault(node, path, f"invalid entry {name!r}: NAME=ADDRESS expected")
    return found


def _addresses(node: Node, path: Path) -> tuple[str, ...]:
    if isinstance(node, Items):
        return tuple(_address(item, path) for item in node.items)
    return (_address(node, path),)


def _address(node: Node, path: Path) -> str:
    if isinstance(node, Scalar) and node.value is None:
        return ""
    return read.text(node, path).removeprefix("[").removesuffix("]")
