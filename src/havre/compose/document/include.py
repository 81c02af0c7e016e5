"""`include`: other applications' files, each with its own folder and variables, taken in as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable

from msgspec import Struct

from havre.compose.document.nodes import Items, Node, Scalar, Table, fault

SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "models")


class Inclusion(Struct, frozen=True):
    """One entry: the files that are merged, the folder of their paths, and their files of variables."""

    files: tuple[str, ...]
    folder: str
    env_files: tuple[str, ...]
    node: Node


def inclusions(tree: Table, folder: str) -> list[Inclusion]:
    """The entries of `include`, with paths from *folder*. Raises InvalidFile."""
    node = tree.get("include")
    if node is None:
        return []
    if not isinstance(node, Items):
        raise fault(node, ("include",), "must be a list")
    return [_inclusion(item, f"[{i}]", folder) for i, item in enumerate(node.items)]


def take_in(tree: Table, included: Table) -> Table:
    """*tree* with all that *included* declares. Raises InvalidFile where a name is taken by something else."""
    entries = dict(tree.entries)
    for section in SECTIONS:
        theirs = included.get(section)
        if not isinstance(theirs, Table):
            continue
        ours = entries.get(section)
        held = ours if isinstance(ours, Table) else Table({}, theirs.place)
        for name, node in theirs.entries.items():
            present = held.get(name)
            if present is not None and not _same(present, node):
                raise fault(
                    node, (section, name), f"conflicts with the one at {present.place}: an included name is taken"
                )
        entries[section] = Table({**theirs.entries, **held.entries}, held.place, "", {**theirs.keys, **held.keys})
    return tree.having(entries)


def _inclusion(node: Node, position: str, folder: str) -> Inclusion:
    path = ("include", position)
    if isinstance(node, Scalar):
        files = _texts(node, path, lambda one: _joined(folder, one))
        return Inclusion(files, os.path.dirname(files[0]), (), node)
    if not isinstance(node, Table):
        raise fault(node, path, "must be a path or a mapping")
    for key in node.entries:
        if key not in ("path", "env_file", "project_directory"):
            raise fault(node.place_of(key), (*path, key), f"unknown attribute {key!r}")
    if (where := node.get("path")) is None:
        raise fault(node, path, "attribute 'path' is required")
    files = _texts(where, (*path, "path"), lambda one: _joined(folder, one))
    home = node.get("project_directory")
    base = os.path.dirname(files[0])
    if home is not None:
        base = _texts(home, (*path, "project_directory"), lambda one: _joined(folder, one))[0]
    env = node.get("env_file")
    env_files = _texts(env, (*path, "env_file"), lambda one: _joined(folder, one)) if env is not None else ()
    return Inclusion(files, base, env_files, node)


def _texts(node: Node, path: tuple[str, ...], act: Callable[[str], str]) -> tuple[str, ...]:
    items = node.items if isinstance(node, Items) else (node,)
    made = tuple(act(item.value) for item in items if isinstance(item, Scalar) and isinstance(item.value, str))
    if len(made) != len(items) or not made:
        raise fault(node, path, "must be a path or a list of paths")
    return made


def _joined(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _same(one: Node, other: Node) -> bool:
    """Equal but for where they stand."""
    match one, other:
        case Table(), Table():
            return one.entries.keys() == other.entries.keys() and all(
                _same(one.entries[key], other.entries[key]) for key in one.entries
            )
        case Items(), Items():
            return len(one.items) == len(other.items) and all(map(_same, one.items, other.items))
        case Scalar(), Scalar():
            return one.value == other.value and type(one.value) is type(other.value)
        case _:
            return False
