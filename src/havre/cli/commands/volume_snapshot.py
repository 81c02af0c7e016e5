"""`havre volume snapshot`: a copy of a volume under a name that tells the moment."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the name of the copy."""
    from time import gmtime, strftime

    name = given.args[0]
    to = given.args[1] if len(given.args) > 1 else f"{name}-{strftime('%Y%m%dT%H%M%SZ', gmtime())}"
    for _ in client.send("POST", f"/volumes/{name}/clone", {"to": to}).chunks():
        pass
    screen.line(to)
    return 0


COMMAND = Command(
    summary="Copy a volume to a new one, named after it and the moment",
    usage="VOLUME [NAME]",
    at_least=1,
    at_most=2,
    run=run,
)
