"""`extends`: a service laid over another one, of the same file or of another."""

from __future__ import annotations

import os
from collections.abc import Callable

from msgspec import Struct

from havre.compose.document.merge import merge, settled
from havre.compose.document.nodes import Node, Scalar, Table, fault
from havre.compose.document.paths import absolute_service_paths

ReadFile = Callable[[str], Table]
_MAX_DEPTH = 100


class _Origin(Struct, frozen=True):
    """The tree that a service stands in, its file and the folder of its paths."""

    tree: Table
    file: str
    folder: str


def resolve_extends(tree: Table, file: str, folder: str, *, read: ReadFile, before: Table | None = None) -> Table:
    """*tree* with each `extends` replaced by what it means; *before* holds the files that were merged already.

    Raises InvalidFile for what is not there, and for circles.
    """
    services = tree.get("services")
    if not isinstance(services, Table):
        return tree
    origin = _Origin(tree, file, folder)
    made = {
        name: _extended(service, name, origin, read=read, seen=((file, name),), before=before)
        for name, service in services.entries.items()
    }
    return tree.having({**tree.entries, "services": services.having(made)})


def _extended(
    service: Node,
    name: str,
    origin: _Origin,
    *,
    read: ReadFile,
    seen: tuple[tuple[str, str], ...],
    before: Table | None = None,
) -> Node:
    if not isinstance(service, Table) or (wish := service.get("extends")) is None:
        return service
    base_name, base_file = _wish(wish, name)
    rest = service.having({key: node for key, node in service.entries.items() if key != "extends"})
    base_origin = origin
    if base_file:
        path = os.path.normpath(os.path.join(origin.folder, os.path.expanduser(base_file)))
        if path != os.path.normpath(origin.file):
            base_origin = _Origin(read(path), path, os.path.dirname(path))
    step = (base_origin.file, base_name)
    if step in seen or len(seen) > _MAX_DEPTH:
        circle = " -> ".join(f"{one} in {where}" for where, one in (*seen, step))
        raise fault(wish, ("services", name, "extends"), f"circular reference: {circle}")
    base = _service(base_origin.tree, base_name)
    if base is None and before is not None and not base_file:
        base = _service(before, base_name)
    if base is None:
        raise fault(
            wish, ("services", name, "extends"), f"cannot extend service {base_name!r}: not found in {base_origin.file}"
        )
    base = settled(_extended(base, base_name, base_origin, read=read, seen=(*seen, step)))
    if base is not None and base_origin is not origin:
        base = absolute_service_paths(base, base_origin.folder)
    if base is None:
        return rest
    return merge(base, rest, ("services", name)) or rest


def _service(tree: Table, name: str) -> Node | None:
    services = tree.get("services")
    return services.get(name) if isinstance(services, Table) else None


def _wish(node: Node, name: str) -> tuple[str, str]:
    path = ("services", name, "extends")
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value, ""
    if not isinstance(node, Table):
        raise fault(node, path, "must be a service, or a mapping with service and file")
    given = {}
    for key, value in node.entries.items():
        if key not in ("service", "file"):
            raise fault(node.place_of(key), (*path, key), f"unknown attribute {key!r}: service and file are known")
        if not isinstance(value, Scalar) or not isinstance(value.value, str):
            raise fault(value, (*path, key), "must be a string")
        given[key] = value.value
    if "service" not in given:
        raise fault(node, path, "attribute 'service' is required")
    return given["service"], given.get("file", "")
