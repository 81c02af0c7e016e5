"""`havre volume resize`: more room in a volume with a size."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the name."""
    name, size = given.args
    for _ in client.send("POST", f"/volumes/{name}/resize", {"size": size}).chunks():
        pass
    screen.line(name)
    return 0


COMMAND = Command(summary="Let a volume that has a size hold more", usage="VOLUME SIZE", at_least=2, at_most=2, run=run)
