"""From a set of files to one tree: read, extended, merged, paths made absolute, includes taken in."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from havre.compose.document.dotenv import parse_dotenv
from havre.compose.document.extends import resolve_extends
from havre.compose.document.files import STDIN, Scope, read_file, read_text
from havre.compose.document.include import inclusions, take_in
from havre.compose.document.merge import merge
from havre.compose.document.nodes import Place, Table, fault
from havre.compose.document.paths import absolute_paths

_MAX_INCLUDES = 200


class Wish(Struct, frozen=True):
    """How a set of files is read: relative paths start at *folder*; *absolute* makes them so."""

    folder: str
    scope: Scope
    absolute: bool = True


def read_tree(files: Sequence[str], wish: Wish) -> Table:
    """The one tree that *files* mean together. Raises ComposeError."""
    return _Reading().tree(files, wish, ())


def read_variables(files: Sequence[str], outer: Mapping[str, str]) -> dict[str, str]:
    """The variables of `.env` files; of one name the later file's. Raises ComposeError."""
    found: dict[str, str] = {}
    for path in files:
        given = parse_dotenv(read_text(path), path, ChainMap(dict(outer), found))
        found.update({name: value for name, value in given.items() if value is not None})
    return found


class _Reading:
    def __init__(self) -> None:
        self._included = 0

    def tree(self, files: Sequence[str], wish: Wish, seen: tuple[str, ...]) -> Table:
        merged = Table({}, Place(files[0], 1))
        for file in files:
            path = file if file == STDIN else os.path.abspath(file)
            tree = resolve_extends(
                read_file(path, wish.scope),
                path,
                wish.folder,
                read=lambda one: read_file(one, wish.scope),
                before=merged,
            )
            made = merge(merged, tree)
            merged = made if isinstance(made, Table) else merged
        if wish.absolute:
            merged = absolute_paths(merged, wish.folder)
        return self._with_includes(merged, wish, (*seen, *map(os.path.abspath, files)))

    def _with_includes(self, tree: Table, wish: Wish, seen: tuple[str, ...]) -> Table:
        for one in inclusions(tree, wish.folder):
            self._included += 1
            if set(one.files) & set(seen) or self._included > _MAX_INCLUDES:
                raise fault(one.node, ("include",), f"includes itself: {' -> '.join((*seen, *one.files))}")
            env_files = one.env_files or tuple(
                path for path in (os.path.join(one.folder, ".env"),) if os.path.isfile(path)
            )
            defaults = read_variables(env_files, wish.scope.values)
            scope = replace(wish.scope, values=ChainMap(dict(wish.scope.values), defaults))
            tree = take_in(tree, self.tree(one.files, replace(wish, folder=one.folder, scope=scope), seen))
        return tree.having({key: node for key, node in tree.entries.items() if key != "include"})
