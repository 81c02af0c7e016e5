"""`havre network disconnect`: take a container off a network."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.networks import DisconnectNetwork


def run(given: Given, client: Client, screen: Screen) -> int:
    """Nothing is printed."""
    _ = screen
    network, container = given.args
    body: DisconnectNetwork = {"Container": container, "Force": given.switch("force")}
    client.act("POST", f"/networks/{network}/disconnect", body=body)
    return 0


COMMAND = Command(
    summary="Disconnect a container from a network",
    usage="[OPTIONS] NETWORK CONTAINER",
    flags=(switch("force", "Force the container to disconnect from a network", short="f"),),
    at_least=2,
    at_most=2,
    run=run,
)
