"""A secret or config that a service (or a build) may read."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Table
from havre.compose.model import readers as read
from havre.compose.model.values import Mode


class Grant(Struct, frozen=True):
    """The name at top level, and the file in the container with its owner and mode."""

    source: str
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: Mode | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


def place(kind: str, grant: Grant) -> str:
    """The path in the container: of a `secret` below `/run/secrets`, of a `config` below `/`, unless it is absolute."""
    return os.path.join("/run/secrets" if kind == "secret" else "/", grant.target or grant.source)


def grants(node: Node, path: Path) -> tuple[Grant, ...]:
    """The attributes `secrets` and `configs` of a service."""
    return read.tuple_of(_grant)(node, path)


def _grant(node: Node, path: Path) -> Grant:
    if isinstance(node, Table):
        return _long(node, path)
    return Grant(read.text(node, path))


_long = read.record(
    Grant,
    {"source": read.text, "target": read.text, "uid": read.word, "gid": read.word, "mode": read.octal},
    "source",
)
