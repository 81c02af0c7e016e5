"""`havre volume rm`: remove volumes."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given, switch
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the name of each that went."""

    def remove(name: str) -> None:
        client.send("DELETE", f"/volumes/{name}", {"force": given.switch("force")})

    return each(given.args, remove, screen)


COMMAND = Command(
    summary="Remove one or more volumes. You cannot remove a volume that is in use by a container.",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    flags=(switch("force", "Force the removal of one or more volumes", short="f"),),
    at_least=1,
    run=run,
)
