"""`havre volume clone`: a copy of a volume."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the new name."""
    name, to = given.args
    for _ in client.send("POST", f"/volumes/{name}/clone", {"to": to}).chunks():
        pass
    screen.line(to)
    return 0


COMMAND = Command(summary="Copy a volume to a new one", usage="VOLUME NAME", at_least=2, at_most=2, run=run)
