"""Relative paths in a tree become absolute, each from the folder of the file set that it stands in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from havre.compose.document.nodes import Items, Node, Path, Scalar, Table
from havre.compose.document.shapes import canonical


def absolute_paths(tree: Table, folder: str) -> Table:
    """The whole tree with the paths of the host made absolute from *folder*."""
    entries = dict(tree.entries)
    services = entries.get("services")
    if isinstance(services, Table):
        entries["services"] = services.having(
            {name: absolute_service_paths(service, folder) for name, service in services.entries.items()}
        )
    for kind in ("secrets", "configs"):
        held = entries.get(kind)
        if isinstance(held, Table):
            entries[kind] = held.having(
                {name: _at(node, ("file",), lambda text: _joined(folder, text)) for name, node in held.entries.items()}
            )
    volumes = entries.get("volumes")
    if isinstance(volumes, Table):
        entries["volumes"] = volumes.having({name: _local_bind(node, folder) for name, node in volumes.entries.items()})
    return tree.having(entries)


def absolute_service_paths(service: Node, folder: str) -> Node:
    """One service with the paths of the host made absolute from *folder*."""

    def path(text: str) -> str:
        return _joined(folder, text)

    if isinstance(service, Table) and (build := service.get("build")) is not None:
        service = service.having({**service.entries, "build": _long_build(build)})
    for where, act in (
        (("build", "context"), lambda text: _context(folder, text)),
        (("build", "additional_contexts", "*"), lambda text: _named_context(folder, text)),
        (("build", "ssh", "*"), path),
        (("env_file",), path),
        (("env_file", "*"), path),
        (("env_file", "*", "path"), path),
        (("label_file",), path),
        (("label_file", "*"), path),
        (("extends", "file"), path),
        (("credential_spec", "file"), path),
        (("volumes", "*"), lambda text: _volume(folder, text)),
        (("develop", "watch", "*", "path"), path),
    ):
        service = _at(service, where, act)
    return _bind_sources(service, folder)


def _long_build(build: Node) -> Node:
    build = canonical(build, ("services", "", "build"))
    if not isinstance(build, Table):
        return build
    return build.having({key: canonical(node, ("services", "", "build", key)) for key, node in build.entries.items()})


def _at(node: Node, where: Path, act: Callable[[str], str]) -> Node:
    """*node* with *act* applied to the texts at *where* (`*`: every entry)."""
    if not where:
        return (
            replace(node, value=act(node.value)) if isinstance(node, Scalar) and isinstance(node.value, str) else node
        )
    first, rest = where[0], where[1:]
    if isinstance(node, Items) and first == "*":
        return replace(node, items=tuple(_at(item, rest, act) for item in node.items))
    if isinstance(node, Table):
        keys = node.entries if first == "*" else (first,) if first in node.entries else ()
        changed: Mapping[str, Node] = {key: _at(node.entries[key], rest, act) for key in keys}
        return node.having({**node.entries, **changed})
    return node


def _bind_sources(service: Node, folder: str) -> Node:
    volumes = service.get("volumes") if isinstance(service, Table) else None
    if not isinstance(service, Table) or not isinstance(volumes, Items):
        return service
    items = tuple(
        _at(item, ("source",), lambda text: _joined(folder, text))
        if isinstance(item, Table) and isinstance(kind := item.get("type"), Scalar) and kind.value == "bind"
        else item
        for item in volumes.items
    )
    return service.having({**service.entries, "volumes": replace(volumes, items=items)})


def _local_bind(volume: Node, folder: str) -> Node:
    """`driver_opts: {type: none, o: bind, device: ./folder}` of the local driver."""
    options = volume.get("driver_opts") if isinstance(volume, Table) else None
    kind = options.get("o") if isinstance(options, Table) else None
    if not isinstance(kind, Scalar) or "bind" not in str(kind.value).split(","):
        return volume
    return _at(volume, ("driver_opts", "device"), lambda text: _joined(folder, text))


def _joined(folder: str, text: str) -> str:
    if not text:
        return text
    return os.path.normpath(os.path.join(folder, os.path.expanduser(text)))


def _context(folder: str, text: str) -> str:
    remote = "://" in text or text.startswith(("git@", "github.com/")) or text == "-"
    return text if remote else _joined(folder, text)


def _named_context(folder: str, text: str) -> str:
    return text if text.startswith(("service:", "target:")) else _context(folder, text)


def _volume(folder: str, text: str) -> str:
    source, colon, rest = text.partition(":")
    return f"{_joined(folder, source)}{colon}{rest}" if colon and source.startswith((".", "~", "/")) else text
