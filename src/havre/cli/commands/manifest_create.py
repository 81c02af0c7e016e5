"""`havre manifest create`: begin a list of manifests, each for other machines."""

from __future__ import annotations

from functools import partial

from havre.cli.command import Command
from havre.cli.flags import Given, switch
from havre.cli.manifest_lists import ManifestLists, parse_name
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, _client: Client, screen: Screen) -> int:
    """Ask the registries what each name means, and write it down."""
    from havre.cli.manifest_talk import fetch, talk

    lists, target = ManifestLists(), parse_name(given.args[0])
    if lists.find(target) and not given.switch("amend"):
        raise ClientError("refusing to amend an existing manifest list with no --amend flag")
    for text in given.args[1:]:
        name = parse_name(text)
        entries = talk(partial(fetch, name=name), name, insecure=given.switch("insecure"))
        for entry in entries:
            lists.keep(target, entry)
    screen.line(f"Created manifest list {target.familiar}")
    return 0


COMMAND = Command(
    summary="Create a local manifest list for annotating and pushing to a registry",
    usage="MANIFEST_LIST MANIFEST [MANIFEST...]",
    flags=(
        switch("amend", "Amend an existing manifest list", short="a"),
        switch("insecure", "Allow communication with an insecure registry"),
    ),
    at_least=2,
    run=run,
)
