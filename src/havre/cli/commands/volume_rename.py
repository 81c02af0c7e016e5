"""`havre volume rename`: another name for a volume."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the new name."""
    name, to = given.args
    for _ in client.send("POST", f"/volumes/{name}/rename", {"to": to}).chunks():
        pass
    screen.line(to)
    return 0


COMMAND = Command(summary="Rename a volume that no container has", usage="VOLUME NAME", at_least=2, at_most=2, run=run)
