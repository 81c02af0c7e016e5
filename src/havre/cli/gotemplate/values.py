"""Values as Go's fmt prints them."""

from __future__ import annotations


def show(value: object) -> str:
    """A value as Go's fmt prints it with %v."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case dict():
            return "map[" + " ".join(f"{show(k)}:{_inner(value[k])}" for k in sorted(value)) + "]"
        case list() | tuple():
            return "[" + " ".join(_inner(item) for item in value) + "]"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case _:
            return str(value)


def _inner(value: object) -> str:
    return "<nil>" if value is None else show(value)
