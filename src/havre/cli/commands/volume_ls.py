"""`havre volume ls`: list volumes."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.volumes import Volume, VolumeList

_HEADERS = {
    "Name": "VOLUME NAME", "Driver": "DRIVER", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT", "Labels": "LABELS",
    "Links": "LINKS", "Size": "SIZE", "Group": "GROUP", "Availability": "AVAILABILITY", "Status": "STATUS",
}  # fmt: skip
_TYPE = "*formatter.volumeContext"


def run(given: Given, client: Client, screen: Screen) -> int:
    """By name."""
    rows = client.get("/volumes", VolumeList, {"filters": filters_query(given.many("filter"))}).get("Volumes") or []
    rows.sort(key=lambda row: row.get("Name") or "")
    if given.switch("quiet") and not given.text("format"):
        for row in rows:
            screen.line(row.get("Name") or "")
        return 0
    listing = Listing(_HEADERS, ("Driver", "Name"), _TYPE)
    listing.print((_row(row) for row in rows), given.text("format"), screen)
    return 0


def _row(row: Volume) -> Row:
    labels = row.get("Labels") or {}
    return Row(
        {
            "Driver": row.get("Driver") or "",
            "Name": row.get("Name") or "",
            "Scope": row.get("Scope") or "",
            "Mountpoint": row.get("Mountpoint") or "",
            "Labels": ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
            "Links": "N/A",
            "Size": "N/A",
            "Group": "N/A",
            "Availability": "N/A",
            "Status": "N/A",
        },
        _TYPE,
    )


COMMAND = Command(
    summary="List volumes",
    usage="[OPTIONS]",
    flags=(
        many("filter", 'Provide filter values (e.g. "dangling=true")', short="f", kind="filter"),
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("quiet", "Only display volume names", short="q"),
    ),
    at_most=0,
    run=run,
)
