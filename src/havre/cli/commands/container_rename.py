"""`havre rename`: give a container another name."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import shown_error
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print nothing."""
    old, new = given.args
    try:
        client.act("POST", f"/containers/{old}/rename", {"name": new})
    except ApiError as error:
        screen.error(f"{shown_error(error)}\nError: failed to rename container named {old}")
        return 1
    return 0


COMMAND = Command(summary="Rename a container", usage="CONTAINER NEW_NAME", at_least=2, at_most=2, run=run)
