"""`--platform` of the verbs that take it as JSON."""

from __future__ import annotations

from havre.cli.flags import Given
from havre.client.errors import ClientError


def platform_of(given: Given) -> dict[str, str]:
    """The query parameter of `--platform` given once at most. Raises ClientError for what is none."""
    text = given.text("platform")
    return {"platform": platform_query([text])} if text else {}


def platform_query(given: list[str]) -> str:
    """The one platform given. Raises ClientError for several, and for what is none."""
    import json

    if len(given) > 1 or "," in given[0]:
        raise ClientError("several platforms at once are not available in this version of Havre")
    parts = given[0].split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise ClientError(f'invalid platform: "{given[0]}": it is OS/ARCHITECTURE[/VARIANT]')
    return json.dumps(dict(zip(("os", "architecture", "variant"), parts, strict=False)))
