"""`havre container inspect`: everything about containers."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.inspecting import inspect_all
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.containers import ContainerInspect


def run(given: Given, client: Client, screen: Screen) -> int:
    """JSON documents, or a template's text for each."""
    query = {"size": given.switch("size")}

    def find(name: str) -> object:
        return client.get(f"/containers/{name}/json", ContainerInspect, query)

    return inspect_all(given.args, find, given.text("format"), screen)


COMMAND = Command(
    summary="Display detailed information on one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    flags=(
        text("format", "Format output using a custom template: json or TEMPLATE", short="f"),
        switch("size", "Display total file sizes", short="s"),
    ),
    at_least=1,
    run=run,
)
