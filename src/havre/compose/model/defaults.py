"""What the attributes of a structure of the model are when they were not given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from msgspec import Struct


@cache
def defaults(kind: type[Struct]) -> Mapping[str, object]:
    """Each attribute with its default: `...` where one must be given, an empty mapping where one is made."""
    names, known = kind.__struct_fields__, kind.__struct_defaults__
    required = len(names) - len(known)
    return {name: ... if place < required else _default(known[place - required]) for place, name in enumerate(names)}


def _default(held: object) -> object:
    factory = getattr(held, "factory", None)
    return held if factory is None else factory()
