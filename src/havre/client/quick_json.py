"""Reading JSON without the `json` package, whose import (with `re` and `enum`) is a third of the start of `havre ps`.

CPython's own scanner does the work there too; where it is missing, `json` is.
"""

from __future__ import annotations

from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE = " \t\n\r"


class _Context:
    """What the scanner wants to know: json.JSONDecoder's defaults."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012  the scanner's own table of keys

    @staticmethod
    def parse_constant(name: str) -> object:
        raise ValueError(f"{name} is no JSON")


try:
    from _json import make_scanner

    _scan: Callable[[str, int], tuple[object, int]] = make_scanner(_Context)  # type: ignore[arg-type]  # needs its attributes only
except ImportError:
    from json import JSONDecoder

    _scan = JSONDecoder().scan_once  # type: ignore[attr-defined]  # not in the stubs


def loads(data: bytes) -> object:
    """The one JSON document that *data* is. Raises ClientError."""
    text = data.decode(errors="replace").strip(_SPACE)
    try:
        document, end = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError) as error:
        raise ClientError(f"the daemon's answer is no JSON: {text[:200]!r}") from error
    if end != len(text):
        raise ClientError(f"the daemon's answer goes on after its JSON: {text[end : end + 200]!r}")
    return document
