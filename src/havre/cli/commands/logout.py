"""`havre logout`: forget who we are at a registry."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.credentials import CredentialStore, server_key
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, _client: Client, screen: Screen) -> int:
    """Only the user's own files change."""
    server = server_key(given.args[0] if given.args else "")
    screen.line(f"Removing login credentials for {server}")
    CredentialStore().forget(server)
    return 0


COMMAND = Command(summary="Log out from a registry", usage="[SERVER]", at_most=1, run=run)
