"""`havre volume create`: make a volume."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, many, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.volumes import CreateVolume, Volume


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print its name."""
    body: CreateVolume = {
        "Name": given.args[0] if given.args else given.text("name"),
        "Driver": given.text("driver"),
        "DriverOpts": _pairs(given.many("opt")),
        "Labels": _pairs(given.many("label")),
    }
    volume = client.post("/volumes/create", Volume, body=body)
    screen.line(volume.get("Name") or "")
    return 0


def _pairs(entries: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (entry.partition("=") for entry in entries)}


COMMAND = Command(
    summary="Create a volume",
    usage="[OPTIONS] [VOLUME]",
    flags=(
        text("driver", "Specify volume driver name", short="d", default="local"),
        many("label", "Set metadata for a volume"),
        text("name", "Specify volume name"),
        many("opt", "Set driver specific options", short="o", kind="map"),
    ),
    at_most=1,
    run=run,
)
