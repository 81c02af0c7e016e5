"""`--filter name=value` as the `filters` of a query."""

from __future__ import annotations

from havre.cli.flags import UsageError


def filters_query(entries: list[str]) -> str:
    """The JSON map of Go's clients; "" without filters. Raises UsageError for what is no pair."""
    if not entries:
        return ""
    import json

    made: dict[str, dict[str, bool]] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals:
            raise UsageError(
                f'invalid argument "{entry}" for "-f, --filter" flag: bad format of filter (expected name=value)'
            )
        made.setdefault(name.strip().lower(), {})[value.strip()] = True
    return json.dumps(made, separators=(",", ":"))
