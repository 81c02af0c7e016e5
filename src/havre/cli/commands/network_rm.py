"""`havre network rm`: remove networks."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given, switch
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the name of each that went."""
    lenient = given.switch("force")

    def remove(name: str) -> None:
        try:
            client.act("DELETE", f"/networks/{name}")
        except ApiError as error:
            if not (lenient and error.status == 404):
                raise

    code = each(given.args, remove, screen)
    if code:
        screen.error("exit status 1")
    return code


COMMAND = Command(
    summary="Remove one or more networks",
    usage="NETWORK [NETWORK...]",
    flags=(switch("force", "Do not error if the network does not exist", short="f"),),
    at_least=1,
    run=run,
)
