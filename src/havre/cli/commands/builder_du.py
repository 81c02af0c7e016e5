"""`havre builder du`: what the builder's cache holds."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.cli.units import show_age, show_size
from havre.client.client import Client
from havre.wire.system import BuildCacheItem, DiskUsage

_HEADERS = {
    "ID": "ID", "Reclaimable": "RECLAIMABLE", "Size": "SIZE", "LastAccessed": "LAST ACCESSED",
    "Description": "DESCRIPTION",
}  # fmt: skip
_SHOWN = ("ID", "Reclaimable", "Size", "LastAccessed")
_ID_LENGTH = 25
_TYPE = "*formatter.buildCacheContext"


def run(given: Given, client: Client, screen: Screen) -> int:
    """A line for each record that holds files, and for each cache mount; with --verbose for every record."""
    verbose = given.switch("verbose")
    items = client.get("/system/df", DiskUsage, {"type": "build-cache"}).get("BuildCache") or []
    shown = [item for item in items if verbose or item.get("Type") != "internal"]
    shown.sort(key=lambda item: item.get("LastUsedAt") or "", reverse=True)
    listing = Listing(_HEADERS, (*_SHOWN, "Description") if verbose else _SHOWN, _TYPE)
    listing.print([_row(item) for item in shown], given.text("format"), screen)
    if not given.text("format"):
        whole = sum(item.get("Size") or 0 for item in items)
        shared = sum(item.get("Size") or 0 for item in items if item.get("Shared"))
        screen.line(f"Shared:\t\t{show_size(shared, 4)}\nPrivate:\t{show_size(whole - shared, 4)}")
        screen.line(f"Reclaimable:\t{show_size(whole - shared, 4)}\nTotal:\t\t{show_size(whole, 4)}")
    return 0


def _row(item: BuildCacheItem) -> Row:
    from datetime import datetime

    used = (item.get("LastUsedAt") or "").partition(".")[0]
    return Row(
        {
            "ID": (item.get("ID") or "")[:_ID_LENGTH],
            "Reclaimable": "false" if item.get("InUse") or item.get("Shared") else "true",
            "Size": show_size(item.get("Size") or 0, 4),
            "LastAccessed": show_age(datetime.fromisoformat(f"{used}+00:00").timestamp()) if used else "",
            "Description": item.get("Description") or "",
        },
        _TYPE,
    )


COMMAND = Command(
    summary="Show what the build cache takes of the disk",
    usage="[OPTIONS]",
    flags=(
        text("format", "Format output using a custom template"),
        switch("verbose", "Show every record, with what made it"),
    ),
    at_most=0,
    run=run,
)
