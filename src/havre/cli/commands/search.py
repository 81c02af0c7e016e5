"""`havre search`: find repositories in a registry."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.credentials import auth_header
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, number, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.quick_json import loads
from havre.wire.images import SearchResult

_HEADERS = {
    "Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}  # fmt: skip
_TYPE = "*search.searchContext"
_WIDTH = 45
_LIMIT = 25


def run(given: Given, client: Client, screen: Screen) -> int:
    """Those with the most stars first."""
    term = given.args[0]
    query: dict[str, str | int | None] = {
        "term": term,
        "limit": given.number("limit") or _LIMIT,
        "filters": filters_query(given.many("filter")),
    }
    answer = client.send("GET", "/images/search", query, headers=auth_header(term)).read()
    rows: list[SearchResult] = loads(answer)  # type: ignore[assignment]  # as the API promises
    rows.sort(key=lambda row: -(row.get("star_count") or 0))
    whole = given.switch("no-trunc")
    listing = Listing(_HEADERS, ("Name", "Description", "StarCount", "IsOfficial"), _TYPE)
    listing.print((_row(row, whole=whole) for row in rows), given.text("format"), screen)
    return 0


def _row(row: SearchResult, *, whole: bool) -> Row:
    description = " ".join((row.get("description") or "").split())
    if not whole and len(description) > _WIDTH:
        description = description[: _WIDTH - 1] + "…"
    return Row(
        {
            "Name": row.get("name") or "",
            "Description": description,
            "StarCount": str(row.get("star_count") or 0),
            "IsOfficial": "[OK]" if row.get("is_official") else "",
            "IsAutomated": "[OK]" if row.get("is_automated") else "",
        },
        _TYPE,
    )


COMMAND = Command(
    summary="Search Docker Hub or another registry for images",
    usage="[OPTIONS] TERM",
    flags=(
        many("filter", "Filter output based on conditions provided", short="f", kind="filter"),
        text("format", "Pretty-print search using a Go template"),
        number("limit", "Max number of search results"),
        switch("no-trunc", "Don't truncate output"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
