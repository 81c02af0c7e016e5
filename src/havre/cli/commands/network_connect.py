"""`havre network connect`: put a container on a network."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, many, number, text
from havre.cli.network_options import endpoint_of
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.networks import ConnectNetwork


def run(given: Given, client: Client, screen: Screen) -> int:
    """Nothing is printed."""
    _ = screen
    network, container = given.args
    body: ConnectNetwork = {"Container": container, "EndpointConfig": endpoint_of(given)}
    client.act("POST", f"/networks/{network}/connect", body=body)
    return 0


COMMAND = Command(
    summary="Connect a container to a network",
    usage="[OPTIONS] NETWORK CONTAINER",
    flags=(
        many("alias", "Add network-scoped alias for the container", kind="strings"),
        many("driver-opt", "driver options for the network", kind="strings"),
        number(
            "gw-priority",
            "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
        ),
        text("ip", 'IPv4 address (e.g., "172.30.100.104")'),
        text("ip6", 'IPv6 address (e.g., "2001:db8::33")'),
        many("link", "Add link to another container"),
        many("link-local-ip", "Add a link-local address for the container", kind="strings"),
    ),
    at_least=2,
    at_most=2,
    run=run,
)
