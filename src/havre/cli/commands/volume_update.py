"""`havre volume update`: only volumes of a cluster can be changed."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """The daemon refuses it."""
    _ = screen
    spec = {"Spec": {"Availability": given.text("availability")}}
    client.send("PUT", f"/volumes/{given.args[0] if given.args else ''}", body=spec)
    return 0


COMMAND = Command(
    summary="Update a volume (cluster volumes only)",
    usage="[OPTIONS] [VOLUME]",
    flags=(text("availability", 'Cluster Volume availability ("active", "pause", "drain")', default="active"),),
    at_least=1,
    at_most=1,
    run=run,
)
