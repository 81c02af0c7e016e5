"""`havre save`: images to an archive."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.files import write_whole
from havre.cli.flags import Given, many, text
from havre.cli.platforms import platform_query
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Write the archive to a file or to standard output."""
    path = given.text("output")
    if not path and screen.is_terminal():
        raise ClientError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    from urllib.parse import urlencode

    platforms = given.many("platform")
    pairs = [("platform", platform_query(platforms))] if platforms else []
    names = urlencode([("names", name) for name in given.args] + pairs)
    response = client.send("GET", f"/images/get?{names}")
    write_whole(path, response.chunks())
    return 0


COMMAND = Command(
    summary="Save one or more images to a tar archive (streamed to STDOUT by default)",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    flags=(
        text("output", "Write to a file, instead of STDOUT", short="o"),
        many("platform", "Save only the given platform variant"),
    ),
    at_least=1,
    run=run,
)
