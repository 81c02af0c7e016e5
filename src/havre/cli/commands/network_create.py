"""`havre network create`: make a network."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, many, switch, text
from havre.cli.network_pools import pools
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.networks import CreateNetwork, NetworkCreated


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print its id."""
    body: CreateNetwork = {
        "Name": given.args[0],
        "Driver": given.text("driver"),
        "Scope": given.text("scope"),
        "Options": _pairs(given.many("opt")),
        "IPAM": {
            "Driver": given.text("ipam-driver"),
            "Config": pools(given),
            "Options": _pairs(given.many("ipam-opt")),
        },
        "Internal": given.switch("internal"),
        "Ingress": given.switch("ingress"),
        "Attachable": given.switch("attachable"),
        "ConfigOnly": given.switch("config-only"),
        "Labels": _pairs(given.many("label")),
    }
    if given.text("config-from"):
        body["ConfigFrom"] = {"Network": given.text("config-from")}
    if given.changed("ipv4"):
        body["EnableIPv4"] = given.switch("ipv4")
    if given.changed("ipv6"):
        body["EnableIPv6"] = given.switch("ipv6")
    made = client.post("/networks/create", NetworkCreated, body=body)
    screen.line(made.get("Id") or "")
    return 0


def _pairs(entries: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (entry.partition("=") for entry in entries)}


COMMAND = Command(
    summary="Create a network",
    usage="[OPTIONS] NETWORK",
    flags=(
        switch("attachable", "Enable manual container attachment"),
        many("aux-address", "Auxiliary IPv4 or IPv6 addresses used by Network driver", kind="map"),
        text("config-from", "The network from which to copy the configuration"),
        switch("config-only", "Create a configuration only network"),
        text("driver", "Driver to manage the Network", short="d", default="bridge"),
        many("gateway", "IPv4 or IPv6 Gateway for the master subnet", kind="strings"),
        switch("ingress", "Create swarm routing-mesh network"),
        switch("internal", "Restrict external access to the network"),
        many("ip-range", "Allocate container ip from a sub-range", kind="strings"),
        text("ipam-driver", "IP Address Management Driver", default="default"),
        many("ipam-opt", "Set IPAM driver specific options", kind="map"),
        switch("ipv4", "Enable or disable IPv4 address assignment", default=True),
        switch("ipv6", "Enable or disable IPv6 address assignment"),
        many("label", "Set metadata on a network"),
        many("opt", "Set driver specific options", short="o", kind="map"),
        text("scope", "Control the network's scope"),
        many("subnet", "Subnet in CIDR format that represents a network segment", kind="strings"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
