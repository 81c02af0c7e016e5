"""`havre export`: a container's files as an archive."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.files import write_whole
from havre.cli.flags import Given, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Write the archive to a file or to standard output."""
    path = given.text("output")
    if not path and screen.is_terminal():
        raise ClientError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    write_whole(path, client.send("GET", f"/containers/{given.args[0]}/export").chunks())
    return 0


COMMAND = Command(
    summary="Export a container's filesystem as a tar archive",
    usage="[OPTIONS] CONTAINER",
    flags=(text("output", "Write to a file, instead of STDOUT", short="o"),),
    at_least=1,
    at_most=1,
    run=run,
)
