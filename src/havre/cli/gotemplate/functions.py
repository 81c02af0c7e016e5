"""The functions of templates: Go's own, and those that Docker adds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise

from havre.cli.gotemplate.printf import printf
from havre.cli.gotemplate.values import show


def is_true(value: object) -> bool:
    """Go's truth: the zero value of a type is false."""
    return bool(value)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_document)


def _document(value: object) -> object:
    """What a value with placeholders is as JSON; others are mappings of a kind."""
    as_json = getattr(value, "as_json", None)
    return dict(value) if as_json is None else as_json()  # type: ignore[call-overload]  # a TypeError tells what it is


def _sequence(value: object) -> Sequence[object]:
    if isinstance(value, list | tuple | str):
        return value
    raise TypeError(f"cannot take a part of {show(value)}")


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if value is None:
            raise TypeError("index of untyped nil")
        if isinstance(value, dict):
            value = value.get(key, "")
            continue
        items = _sequence(value)
        if not isinstance(key, int):
            raise TypeError(f"cannot index slice/array with type {type(key).__name__}")
        if not 0 <= key < len(items):
            raise TypeError(f"index out of range: {key}")
        value = items[key]
    return value


def _slice(value: object, *bounds: object) -> object:
    start, stop, *_ = [*(int(str(bound)) for bound in bounds), None, None]
    items = _sequence(value)
    if (stop or 0) > len(items):
        raise TypeError(f"index out of range: {stop}")
    return items[start:stop]


def _length(value: object) -> int:
    if isinstance(value, dict | list | tuple):
        return len(value)
    if isinstance(value, str):
        return len(value.encode())
    raise TypeError(f"len of type {type(value).__name__}")


def _printf(form: object, *args: object) -> str:
    return printf(str(form), args)


def _print(*args: object) -> str:
    parts = [show(args[0])] if args else []
    for before, after in pairwise(args):
        gap = "" if isinstance(before, str) or isinstance(after, str) else " "
        parts.append(gap + show(after))
    return "".join(parts)


def _join(items: object, glue: object = "") -> str:
    if isinstance(items, str):
        raise TypeError("wrong type for value; expected []string; got string")
    return str(glue).join(show(item) for item in _sequence(items or []))


def _title(text: object) -> str:
    words = show(text)
    return "".join(c.upper() if not i or words[i - 1].isspace() else c for i, c in enumerate(words))


def _pad(text: object, before: object, after: object) -> str:
    return (" " * int(str(before)) + show(text) + " " * int(str(after))) if show(text) else show(text)


def _equal(first: object, *others: object) -> bool:
    return any(first == other for other in others)


def _compare(test: Callable[[float | str, float | str], bool]) -> Callable[..., object]:
    def compare(left: object, right: object) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return test(left, right)
        if isinstance(left, int | float) and isinstance(right, int | float):
            return test(float(left), float(right))
        raise TypeError("incompatible types for comparison")

    return compare


def _less(left: float | str, right: float | str) -> bool:
    return left < right if isinstance(left, str) and isinstance(right, str) else float(left) < float(right)


FUNCTIONS: dict[str, Callable[..., object]] = {
    "and": lambda *values: next((v for v in values if not is_true(v)), values[-1]),
    "or": lambda *values: next((v for v in values if is_true(v)), values[-1]),
    "not": lambda value: not is_true(value),
    "len": _length,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *args: " ".join(map(show, args)) + "\n",
    "printf": _printf,
    "eq": _equal,
    "ne": lambda left, right: left != right,
    "lt": _compare(_less),
    "gt": _compare(lambda left, right: _less(right, left)),
    "le": _compare(lambda left, right: not _less(right, left)),
    "ge": _compare(lambda left, right: not _less(left, right)),
    "json": _json,
    "split": lambda text, by: str(text).split(str(by)),
    "join": _join,
    "title": _title,
    "lower": lambda text: show(text).lower(),
    "upper": lambda text: show(text).upper(),
    "pad": _pad,
    "truncate": lambda text, size: show(text)[: int(str(size))],
    "urlquery": lambda text: __import__("urllib.parse").parse.quote_plus(show(text)),
    "html": lambda text: __import__("html").escape(show(text)),
}
