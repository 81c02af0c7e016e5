"""`havre kill`: send a signal to running containers."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given, text
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print each name."""
    query = {"signal": given.text("signal")}
    return each(given.args, lambda name: client.act("POST", f"/containers/{name}/kill", query), screen)


COMMAND = Command(
    summary="Kill one or more running containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    flags=(text("signal", "Signal to send to the container", short="s"),),
    at_least=1,
    run=run,
)
