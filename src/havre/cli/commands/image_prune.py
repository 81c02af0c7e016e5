"""`havre image prune`: remove images that nothing needs."""

from __future__ import annotations

import json

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, number, switch, text
from havre.cli.screen import Screen
from havre.cli.units import parse_bytes, show_size
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.images import PruneImagesReport


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed and the space that is free again."""
    if given.changed("keep-days") or given.changed("keep-free"):
        return _collect(given, client, screen)
    if given.switch("dry-run"):
        raise ClientError("--dry-run needs --keep-days or --keep-free")
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
    _show(report, screen, "Total reclaimed space")
    return 0


def _collect(given: Given, client: Client, screen: Screen) -> int:
    """Images that no container needs and that nobody brought or tagged for long, until enough is free."""
    dry = given.switch("dry-run")
    warning = "This will remove images that no container uses, the longest unused first."
    if not dry and not given.switch("force") and not confirmed(warning):
        return 0
    query = {
        "keep-days": given.number("keep-days"),
        "keep-free": parse_bytes(given.text("keep-free") or "0"),
        "dry-run": dry,
    }
    report = client.post("/images/collect", PruneImagesReport, query)
    _show(report, screen, "Would reclaim" if dry else "Total reclaimed space")
    return 0


def _show(report: PruneImagesReport, screen: Screen, words: str) -> None:
    removed = report.get("ImagesDeleted") or []
    if removed:
        lines = [
            f"untagged: {item['Untagged']}" if item.get("Untagged") else f"deleted: {item.get('Deleted')}"
            for item in removed
        ]
        screen.line("\n".join(["Deleted Images:", *lines, ""]))
    screen.line(f"{words}: {show_size(report.get('SpaceReclaimed') or 0, 4)}")


COMMAND = Command(
    summary="Remove unused images",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Remove all unused images, not just dangling ones", short="a"),
        many("filter", 'Provide filter values (e.g. "until=<timestamp>")', kind="filter"),
        switch("dry-run", "With --keep-days or --keep-free: only tell what would go"),
        switch("force", "Do not prompt for confirmation", short="f"),
        number("keep-days", "Remove unused images, but what came or was tagged in so many days"),
        text(
            "keep-free",
            "Remove unused images, the longest unused first, until so much of the disk is free",
            check=parse_bytes,
        ),
    ),
    at_most=0,
    run=run,
)
