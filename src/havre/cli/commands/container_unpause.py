"""`havre unpause`: unpause all processes within one or more containers."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print each name."""
    return each(given.args, lambda name: client.act("POST", f"/containers/{name}/unpause"), screen)


COMMAND = Command(
    summary="Unpause all processes within one or more containers", usage="CONTAINER [CONTAINER...]", at_least=1, run=run
)
