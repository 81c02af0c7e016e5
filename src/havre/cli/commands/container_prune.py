"""`havre container prune`: remove all stopped containers."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch
from havre.cli.screen import Screen
from havre.cli.units import show_size
from havre.client.client import Client
from havre.wire.containers import PruneContainersReport

_WARNING = "This will remove all stopped containers."


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed and the space that is free again."""
    if not given.switch("force") and not confirmed(_WARNING):
        return 0
    query = {"filters": filters_query(given.many("filter"))}
    report = client.post("/containers/prune", PruneContainersReport, query)
    removed = report.get("ContainersDeleted") or []
    if removed:
        screen.line("\n".join(["Deleted Containers:", *removed, ""]))
    screen.line(f"Total reclaimed space: {show_size(report.get('SpaceReclaimed') or 0, 4)}")
    return 0


COMMAND = Command(
    summary="Remove all stopped containers",
    usage="[OPTIONS]",
    flags=(
        many("filter", 'Provide filter values (e.g. "until=<timestamp>")', kind="filter"),
        switch("force", "Do not prompt for confirmation", short="f"),
    ),
    at_most=0,
    run=run,
)
