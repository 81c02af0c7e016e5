"""Field names as Go matches them: exactly where that fits, else whatever the case of their letters."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, cast, get_args, get_origin, get_type_hints, is_typeddict

_MAX_DEPTH: Final = 64
_NAME: Final = re.compile(rb'"(\w+)"\s*:')


def misspelt(body: bytes, kind: object) -> bool:
    """Whether the JSON text *body* may name a field of *kind*, or of what it holds, in other letters than its own.

    A label may look like one; `named` tells the two apart.
    """
    proper, lower = _spellings(kind)
    return any(name not in proper and name.lower() in lower for name in _NAME.findall(body))


def named(value: object, kind: object, depth: int = 0) -> object:
    """*value*, read from JSON, with the fields of *kind* and of what it holds under their proper names."""
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, list):
        inner = _inner(kind, list)
        return value if inner is None else [named(item, inner, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    fields = _fields(kind)
    if fields is None:
        inner = _inner(kind, dict)
        return value if inner is None else {key: named(item, inner, depth + 1) for key, item in value.items()}
    proper = {name.casefold(): name for name in fields}
    result: dict[str, object] = {}
    for key, item in cast("dict[str, object]", value).items():
        name: str = key if key in fields else proper.get(key.casefold(), key)
        result[name] = named(item, fields[name], depth + 1) if name in fields else item
    return result


def _choices(kind: object) -> tuple[object, ...]:
    """The members of a union; of anything else the thing itself."""
    origin = get_origin(kind)
    if origin is None or origin in (list, dict):
        return (kind,)
    return tuple(choice for part in get_args(kind) for choice in _choices(part))


def _fields(kind: object) -> dict[str, Any] | None:
    """The fields of the one object type that *kind* allows."""
    found = next((choice for choice in _choices(kind) if is_typeddict(choice)), None)
    return None if found is None else _hints(found)


def _inner(kind: object, container: type) -> object | None:
    """The type of what a list or a map of *kind* holds."""
    found = next((choice for choice in _choices(kind) if get_origin(choice) is container), None)
    return None if found is None else get_args(found)[-1]


@cache
def _spellings(kind: object) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """All names of fields in *kind*: as they are, and in lower case."""
    proper = frozenset(name.encode() for shape in _shapes(kind, set()) for name in _hints(shape))
    return proper, frozenset(map(bytes.lower, proper))


def _shapes(kind: object, seen: set[object]) -> Iterator[object]:
    """The object types that *kind* is made of, each once."""
    for choice in _choices(kind):
        if is_typeddict(choice) and choice not in seen:
            seen.add(choice)
            yield choice
            for hint in _hints(choice).values():
                yield from _shapes(hint, seen)
        elif get_origin(choice) in (list, dict):
            yield from _shapes(get_args(choice)[-1], seen)


@cache
def _hints(kind: object) -> dict[str, Any]:
    return get_type_hints(kind)
