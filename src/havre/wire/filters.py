"""The `filters` query parameter: field name -> accepted values."""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from havre.base.errors import InvalidInput

Filters: TypeAlias = Mapping[str, frozenset[str]]

NO_FILTERS: Filters = {}


def parse_filters(text: str) -> Filters:
    """The filters that *text* spells.

    Clients written in Go send `{"label": {"a=b": true}}`, where false means not given; all others send
    `{"label": ["a=b"]}`. An empty text is no filter. Raises InvalidInput.
    """
    if not text:
        return NO_FILTERS
    try:
        given: object = json.loads(text)
    except (ValueError, RecursionError) as broken:
        raise InvalidInput(f"invalid filter: {broken}") from None
    if given is None:
        return NO_FILTERS
    if not isinstance(given, dict):
        raise InvalidInput("invalid filter: expected an object of field names")
    return {field: _values(field, values) for field, values in given.items()}


def encode_filters(filters: Mapping[str, Iterable[str]]) -> str:
    """The text that `parse_filters` understands, in the form every Docker engine understands."""
    if not filters:
        return ""
    return json.dumps({field: dict.fromkeys(values, True) for field, values in filters.items()}, separators=(",", ":"))


def _values(field: str, given: object) -> frozenset[str]:
    if given is None:
        return frozenset()
    if isinstance(given, list) and all(isinstance(value, str) for value in given):
        return frozenset(given)
    if isinstance(given, dict) and all(isinstance(wanted, bool) for wanted in given.values()):
        return frozenset(value for value, wanted in given.items() if wanted)
    raise InvalidInput(f"invalid filter '{field}': expected a list of values")
