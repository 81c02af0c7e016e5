"""`havre volume inspect`: everything about volumes."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.inspecting import inspect_all
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.volumes import Volume


def run(given: Given, client: Client, screen: Screen) -> int:
    """JSON documents, or a template's text for each."""

    def find(name: str) -> object:
        return client.get(f"/volumes/{name}", Volume)

    return inspect_all(given.args, find, given.text("format"), screen)


COMMAND = Command(
    summary="Display detailed information on one or more volumes",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    flags=(text("format", "Format output using a custom template: json or TEMPLATE", short="f"),),
    at_least=1,
    run=run,
)
