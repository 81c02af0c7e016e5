"""`havre network ls`: list networks."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.networks import Network

_HEADERS = {
    "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
    "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
}  # fmt: skip
_TYPE = "*network.networkContext"


def run(given: Given, client: Client, screen: Screen) -> int:
    """By name."""
    rows = client.get("/networks", list[Network], {"filters": filters_query(given.many("filter"))})
    trim = not given.switch("no-trunc")
    rows.sort(key=lambda row: row.get("Name") or "")
    if given.switch("quiet") and not given.text("format"):
        for row in rows:
            screen.line(_id(row, trim=trim))
        return 0
    listing = Listing(_HEADERS, ("ID", "Name", "Driver", "Scope"), _TYPE)
    listing.print((_row(row, trim=trim) for row in rows), given.text("format"), screen)
    return 0


def _row(row: Network, *, trim: bool) -> Row:
    labels = row.get("Labels") or {}
    return Row(
        {
            "ID": _id(row, trim=trim),
            "Name": row.get("Name") or "",
            "Driver": row.get("Driver") or "",
            "Scope": row.get("Scope") or "",
            "IPv4": "true" if row.get("EnableIPv4", True) else "false",
            "IPv6": "true" if row.get("EnableIPv6") else "false",
            "Internal": "true" if row.get("Internal") else "false",
            "Labels": ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
            "CreatedAt": row.get("Created") or "",
        },
        _TYPE,
    )


def _id(row: Network, *, trim: bool) -> str:
    identifier = row.get("Id") or ""
    return identifier[:12] if trim else identifier


COMMAND = Command(
    summary="List networks",
    usage="[OPTIONS]",
    flags=(
        many("filter", 'Provide filter values (e.g. "driver=bridge")', short="f", kind="filter"),
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("no-trunc", "Do not truncate the output"),
        switch("quiet", "Only display network IDs", short="q"),
    ),
    at_most=0,
    run=run,
)
