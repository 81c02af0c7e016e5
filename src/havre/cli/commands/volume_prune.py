"""`havre volume prune`: remove volumes that no container uses."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch
from havre.cli.screen import Screen
from havre.cli.units import show_size
from havre.client.client import Client
from havre.wire.volumes import PruneVolumesReport

_ANONYMOUS = "This will remove anonymous local volumes not used by at least one container."
_ALL = "This will remove all local volumes not used by at least one container."


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed and the space that is free again."""
    every = given.switch("all")
    if not given.switch("force") and not confirmed(_ALL if every else _ANONYMOUS):
        return 0
    filters = [*given.many("filter"), *(["all=true"] if every else [])]
    report = client.post("/volumes/prune", PruneVolumesReport, {"filters": filters_query(filters)})
    removed = report.get("VolumesDeleted") or []
    if removed:
        screen.line("\n".join(["Deleted Volumes:", *removed, ""]))
    screen.line(f"Total reclaimed space: {show_size(report.get('SpaceReclaimed') or 0, 4)}")
    return 0


COMMAND = Command(
    summary="Remove unused local volumes",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Remove all unused volumes, not just anonymous ones", short="a"),
        many("filter", 'Provide filter values (e.g. "label=<label>")', kind="filter"),
        switch("force", "Do not prompt for confirmation", short="f"),
    ),
    at_most=0,
    run=run,
)
