"""From nodes to values: small readers that are put together into the reader of a whole file.

A reader takes a node and its path and gives a value, or raises InvalidFile with file, line, path and a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from havre.compose.document.nodes import Items, Node, Path, Scalar, Table, fault, kind_of
from havre.compose.document.shapes import names, pairs
from havre.compose.model.values import Duration, Mode, Size

T = TypeVar("T")
Reader = Callable[[Node, Path], T]
_TRUE = frozenset({"true", "1", "yes", "y", "on", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "off", "f"})


def text(node: Node, path: Path) -> str:
    """A string."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        if "\0" in node.value:
            raise fault(node, path, "must not hold a NUL")
        return node.value
    raise _wrong(node, path, "a string")


def word(node: Node, path: Path) -> str:
    """A string or a number, as text."""
    if isinstance(node, Scalar) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return shown_number(node.value)
    return text(node, path)


def anything(node: Node, path: Path) -> str:
    """A string, number or truth value, as text; nothing is an empty text."""
    if isinstance(node, Scalar):
        if node.value is None:
            return ""
        return str(node.value).lower() if isinstance(node.value, bool) else word(node, path)
    raise _wrong(node, path, "a string")


def boolean(node: Node, path: Path) -> bool:
    """A truth value or its word."""
    if isinstance(node, Scalar):
        if isinstance(node.value, bool):
            return node.value
        if isinstance(node.value, str) and node.value.lower() in _TRUE | _FALSE:
            return node.value.lower() in _TRUE
    raise _wrong(node, path, "a boolean")


def integer(node: Node, path: Path) -> int:
    """A whole number, or its digits."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        try:
            return int(value.strip(), 10)
        except ValueError:
            pass
    raise _wrong(node, path, "an integer")


def octal(node: Node, path: Path) -> Mode:
    """A file mode: a number, or its octal digits as text."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str):
        try:
            return Mode(int(value.strip().removeprefix("0o"), 8))
        except ValueError:
            raise _wrong(node, path, "a file mode such as 0444") from None
    return Mode(integer(node, path))


def number(node: Node, path: Path) -> float:
    """A number, or its text."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _wrong(node, path, "a number")


def size(node: Node, path: Path) -> Size:
    """`512m` or a number of bytes."""
    try:
        return Size.parse(word(node, path))
    except ValueError as error:
        raise fault(node, path, str(error)) from None


def duration(node: Node, path: Path) -> Duration:
    """`1m30s`."""
    try:
        return Duration.parse(text(node, path))
    except ValueError as error:
        raise fault(node, path, str(error)) from None


def one_of(*allowed: str) -> Reader[str]:
    """One of a few words."""

    def read(node: Node, path: Path) -> str:
        value = text(node, path)
        if value not in allowed:
            raise fault(node, path, f"{value!r} is none of {', '.join(allowed)}{hint(value, allowed)}")
        return value

    return read


def tuple_of(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list."""

    def read(node: Node, path: Path) -> tuple[T, ...]:
        if not isinstance(node, Items):
            raise _wrong(node, path, "a list")
        return tuple(item(one, (*path, f"[{i}]")) for i, one in enumerate(node.items))

    return read


def one_or_many(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """One entry, or a list."""

    def read(node: Node, path: Path) -> tuple[T, ...]:
        if isinstance(node, Items):
            return tuple_of(item)(node, path)
        if isinstance(node, Table):
            raise _wrong(node, path, "a string or a list")
        return (item(node, path),)

    return read


def mapping_of(value: Reader[T]) -> Reader[Mapping[str, T]]:
    """A mapping with any keys."""

    def read(node: Node, path: Path) -> Mapping[str, T]:
        if not isinstance(node, Table):
            raise _wrong(node, path, "a mapping")
        return {key: value(one, (*path, key)) for key, one in node.entries.items()}

    return read


def named(value: Reader[T]) -> Reader[Mapping[str, T]]:
    """A list of names, or a mapping with them as keys."""

    def read(node: Node, path: Path) -> Mapping[str, T]:
        made = names(node) if isinstance(node, Items) else node
        if not isinstance(made, Table):
            raise _wrong(node, path, "a mapping or a list of names")
        return {key: value(one, (*path, key)) for key, one in made.entries.items()}

    return read


def optional_text(node: Node, path: Path) -> str | None:
    """As `anything`, and None for a key without a value."""
    return None if isinstance(node, Scalar) and node.value is None else anything(node, path)


def key_values(node: Node, path: Path) -> Mapping[str, str | None]:
    """A mapping, or a list of `KEY=VALUE`; None for a key without a value."""
    made = pairs(node)
    if not isinstance(made, Table):
        raise _wrong(node, path, "a mapping or a list of KEY=VALUE")
    return {key: optional_text(one, (*path, key)) for key, one in made.entries.items()}


def texts_by_key(node: Node, path: Path) -> Mapping[str, str]:
    """The same, where no value is an empty text."""
    return {key: value or "" for key, value in key_values(node, path).items()}


def plain(node: Node) -> object:
    """A node as Python's own values, for extensions."""
    match node:
        case Table():
            return {key: plain(value) for key, value in node.entries.items()}
        case Items():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value


def extension(node: Node, _: Path) -> object:
    """An `x-` attribute: kept as it is."""
    return plain(node)


def record(make: Callable[..., T], readers: Mapping[str, Reader[object]], *required: str) -> Reader[T]:
    """A mapping with known keys; `x-` keys go to the field *extensions* where *make* has one."""
    keeps = "extensions" in getattr(make, "__annotations__", {})

    def read(node: Node, path: Path) -> T:
        if not isinstance(node, Table):
            raise _wrong(node, path, "a mapping")
        values: dict[str, object] = {}
        extensions: dict[str, object] = {}
        for key, one in node.entries.items():
            if key.startswith("x-"):
                extensions[key] = plain(one)
                continue
            if key not in readers:
                raise fault(node.place_of(key), (*path, key), f"unknown attribute {key!r}{hint(key, readers)}")
            values[key] = readers[key](one, (*path, key))
        for key in required:
            if key not in values:
                raise fault(node, path, f"attribute {key!r} is required")
        if extensions and keeps:
            values["extensions"] = extensions
        return make(**values)

    return read


def maybe(reader: Reader[T]) -> Reader[T | None]:
    """None for a key without a value."""

    def read(node: Node, path: Path) -> T | None:
        return None if isinstance(node, Scalar) and node.value is None else reader(node, path)

    return read


def hint(given: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """`; did you mean …?` for the nearest of *known*, else nothing."""
    near = get_close_matches(given, list(known), 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def shown_number(value: float) -> str:
    """A number as it is written: no `.0` behind a whole one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _wrong(node: Node, path: Path, wanted: str) -> Exception:
    found = kind_of(node)
    shown = f" ({node.value!r})" if isinstance(node, Scalar) and node.value is not None else ""
    return fault(node, path, f"must be {wanted}, not {found}{shown}")
