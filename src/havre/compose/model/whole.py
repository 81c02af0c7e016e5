"""From a tree to the sections of an application, typed, each error with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from havre.compose.document.nodes import Node, Path, Scalar, Table, fault, kind_of
from havre.compose.model import readers as read
from havre.compose.model import resources
from havre.compose.model.names import is_service_name
from havre.compose.model.service import Service, service

T = TypeVar("T")


class Sections(Struct, frozen=True):
    """Everything at top level."""

    name: str = ""
    version: str | None = None
    services: Mapping[str, Service] = field(default_factory=dict)
    networks: Mapping[str, resources.Network] = field(default_factory=dict)
    volumes: Mapping[str, resources.Volume] = field(default_factory=dict)
    secrets: Mapping[str, resources.FileObject] = field(default_factory=dict)
    configs: Mapping[str, resources.FileObject] = field(default_factory=dict)
    models: Mapping[str, object] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


def read_sections(tree: Table) -> Sections:
    """The typed form of *tree*. Raises InvalidFile."""
    return _sections(tree, ())


def _entries(entry: read.Reader[T]) -> read.Reader[Mapping[str, T]]:
    plain = read.mapping_of(entry)

    def checked(node: Node, path: Path) -> Mapping[str, T]:
        if isinstance(node, Scalar) and node.value is None:
            return {}
        if isinstance(node, Table):
            for key in node.entries:
                if not is_service_name(key):
                    raise fault(
                        node.place_of(key),
                        (*path, key),
                        f"invalid name {key!r}: letters, digits, '.', '_' and '-' only",
                    )
        return plain(node, path)

    return checked


def _service(node: Node, path: Path) -> Service:
    if not isinstance(node, Table):
        raise fault(node, path, f"must be a mapping, not {kind_of(node)}")
    return replace(service(node, path), name=path[-1])


_sections = read.record(
    Sections,
    {
        "name": read.text,
        "version": read.anything,
        "services": _entries(_service),
        "networks": _entries(resources.network),
        "volumes": _entries(resources.volume),
        "secrets": _entries(resources.secret),
        "configs": _entries(resources.config),
        "models": _entries(read.extension),
    },
)
