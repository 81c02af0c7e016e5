"""Replaces variables in all values of a tree; keys stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from havre.compose.document.nodes import Items, Node, Path, Scalar, Table, fault
from havre.compose.document.templates import Template, TemplateError, Variable, parse, substitute, variables


def interpolate(tree: Table, values: Mapping[str, str], missing: set[str]) -> Table:
    """*tree* with its variables replaced by *values*; names without a value are added to *missing*.

    Raises InvalidFile for what is no template and for required variables.
    """

    def replaced(template: Template) -> str:
        return substitute(template, values, missing)

    return _walk_table(tree, (), replaced)


def variables_of(tree: Table) -> list[Variable]:
    """Every variable that *tree* names, in order."""
    found: list[Variable] = []

    def collected(template: Template) -> str:
        found.extend(variables(template))
        return ""

    _walk_table(tree, (), collected)
    return found


def _walk_table(table: Table, path: Path, act: Callable[[Template], str]) -> Table:
    return table.having({key: _walk(node, (*path, key), act) for key, node in table.entries.items()})


def _walk(node: Node, path: Path, act: Callable[[Template], str]) -> Node:
    match node:
        case Table():
            return _walk_table(node, path, act)
        case Items():
            return replace(node, items=tuple(_walk(item, (*path, f"[{i}]"), act) for i, item in enumerate(node.items)))
        case Scalar(value=str(text)) if "$" in text:
            try:
                return replace(node, value=act(parse(text)))
            except TemplateError as error:
                raise fault(node, path, str(error)) from None
        case Scalar():
            return node
