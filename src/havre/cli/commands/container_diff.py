"""`havre diff`: what a container changed of its image's files."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.containers import FilesystemChange

_LETTERS = "CAD"


def run(given: Given, client: Client, screen: Screen) -> int:
    """A line a path: C for changed, A for added, D for deleted."""
    found = client.get(f"/containers/{given.args[0]}/changes", list[FilesystemChange]) or []
    lines = [f"{_LETTERS[one.get('Kind') or 0]} {one.get('Path')}\n" for one in found]
    screen.write("".join(lines).encode(errors="surrogateescape"))
    return 0


COMMAND = Command(
    summary="Inspect changes to files or directories on a container's filesystem",
    usage="CONTAINER",
    at_least=1,
    at_most=1,
    run=run,
)
