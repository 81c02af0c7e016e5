"""`havre image inspect`: everything about images."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.inspecting import inspect_all
from havre.cli.platforms import platform_of
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.images import ImageInspect


def run(given: Given, client: Client, screen: Screen) -> int:
    """JSON documents, or a template's text for each."""
    query = platform_of(given)

    def find(name: str) -> object:
        return client.get(f"/images/{name}/json", ImageInspect, query)

    return inspect_all(given.args, find, given.text("format"), screen)


COMMAND = Command(
    summary="Display detailed information on one or more images",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    flags=(
        text("format", "Format output using a custom template: json or TEMPLATE", short="f"),
        text("platform", "Inspect a specific platform of the multi-platform image"),
    ),
    at_least=1,
    run=run,
)
