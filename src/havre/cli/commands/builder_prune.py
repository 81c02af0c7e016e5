"""`havre builder prune`: remove what the builder's cache holds for nobody."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch, text
from havre.cli.screen import Screen
from havre.cli.units import parse_bytes, show_size
from havre.client.client import Client
from havre.wire.system import PruneBuildReport

_WARNING = "This will remove all dangling build cache."
_ALL_WARNING = "This will remove all build cache."


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed and the space that is free again."""
    every = given.switch("all")
    if not given.switch("force") and not confirmed(_ALL_WARNING if every else _WARNING):
        return 0
    kept = given.text("reserved-space") or given.text("keep-storage")
    query: dict[str, str | int | None] = {
        "filters": filters_query(given.many("filter")),
        "all": every,
        "reserved-space": parse_bytes(kept) if kept else None,
    }
    report = client.post("/build/prune", PruneBuildReport, query)
    removed = report.get("CachesDeleted") or []
    if removed:
        screen.line("\n".join(["Deleted build cache objects:", *removed, ""]))
    screen.line(f"Total reclaimed space: {show_size(report.get('SpaceReclaimed') or 0, 4)}")
    return 0


COMMAND = Command(
    summary="Remove build cache",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Remove all unused build cache, not just dangling ones", short="a"),
        many("filter", 'Provide filter values (e.g. "until=24h")', kind="filter"),
        switch("force", "Do not prompt for confirmation", short="f"),
        text("keep-storage", "Amount of disk space to keep for cache", check=parse_bytes),
        text("reserved-space", "Amount of disk space to keep for cache", check=parse_bytes),
    ),
    at_most=0,
    run=run,
)
