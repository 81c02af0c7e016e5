"""`havre network prune`: remove networks that no container is on."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.networks import PruneNetworksReport

_WARNING = "This will remove all custom networks not used by at least one container."


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed."""
    if not given.switch("force") and not confirmed(_WARNING):
        return 0
    report = client.post("/networks/prune", PruneNetworksReport, {"filters": filters_query(given.many("filter"))})
    removed = report.get("NetworksDeleted") or []
    if removed:
        screen.line("\n".join(["Deleted Networks:", *removed, ""]))
    return 0


COMMAND = Command(
    summary="Remove all unused networks",
    usage="[OPTIONS]",
    flags=(
        many("filter", 'Provide filter values (e.g. "until=<timestamp>")', kind="filter"),
        switch("force", "Do not prompt for confirmation", short="f"),
    ),
    at_most=0,
    run=run,
)
