"""`havre image prune`: remove images that nothing needs."""

from __future__ import annotations

import json

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch
from havre.cli.screen import Screen
from havre.cli.units import show_size
from havre.client.client import Client
from havre.wire.images import PruneImagesReport


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed and the space that is free again."""
    every = given.switch("all")
    warning = (
        "This will remove all images without at least one container associated to them."
        if every
        else "This will remove all dangling images."
    )
    if not given.switch("force") and not confirmed(warning):
        return 0
    filters = json.loads(filters_query(given.many("filter")) or "{}")
    filters["dangling"] = {"false" if every else "true": True}
    report = client.post("/images/prune", PruneImagesReport, {"filters": json.dumps(filters)})
    removed = report.get("ImagesDeleted") or []
    if removed:
        lines = [
            f"untagged: {item['Untagged']}" if item.get("Untagged") else f"deleted: {item.get('Deleted')}"
            for item in removed
        ]
        screen.line("\n".join(["Deleted Images:", *lines, ""]))
    screen.line(f"Total reclaimed space: {show_size(report.get('SpaceReclaimed') or 0, 4)}")
    return 0


COMMAND = Command(
    summary="Remove unused images",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Remove all unused images, not just dangling ones", short="a"),
        many("filter", 'Provide filter values (e.g. "until=<timestamp>")', kind="filter"),
        switch("force", "Do not prompt for confirmation", short="f"),
    ),
    at_most=0,
    run=run,
)
