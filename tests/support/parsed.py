"""Dockerfiles in tests: nodes written as text, and typed instructions as plain JSON."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import Any

from havre.build.dockerfile.instructions import Program
from havre.build.dockerfile.nodes import Node


def render(node: Node) -> str:
    """*node* as a Dockerfile says it, with the newline at its end."""
    words = json.dumps(node.words) if node.is_json else " ".join(node.words)
    pairs = " ".join(f"{pair.name}={pair.value}" for pair in node.pairs)
    line = " ".join(part for part in (node.keyword, *node.flags, words, pairs) if part)
    return "".join([f"{line}\n", *(f"{heredoc.content}{heredoc.name}\n" for heredoc in node.heredocs)])


def as_json(value: Any) -> Any:
    """Typed instructions as JSON: what is at its default is left out, each object has its kind."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [as_json(one) for one in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    shown: dict[str, Any] = {"kind": type(value).__name__}
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if field.default is dataclasses.MISSING or found != field.default:
            shown[field.name] = as_json(found)
    if "first" in shown and "last" in shown:
        return f"{shown['first']}-{shown['last']}"
    return shown


def golden(program: Program) -> str:
    """The parsed form of a whole Dockerfile, as golden files have it."""
    return json.dumps(as_json(program), indent=1, ensure_ascii=False) + "\n"
