"""`havre manifest rm`: forget lists in the making."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.manifest_lists import ManifestLists, parse_name
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, _client: Client, screen: Screen) -> int:
    """1 when one was not there; the others go."""
    missing = [name for name in map(parse_name, given.args) if not ManifestLists().remove(name)]
    for name in missing:
        screen.error(f"No such manifest: {name.familiar}")
    return 1 if missing else 0


COMMAND = Command(
    summary="Delete one or more manifest lists from local storage",
    usage="MANIFEST_LIST [MANIFEST_LIST...]",
    at_least=1,
    run=run,
)
