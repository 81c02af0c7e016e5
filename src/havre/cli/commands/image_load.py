"""`havre load`: images from an archive."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.files import check_readable, pieces_of
from havre.cli.flags import Given, many, switch, text
from havre.cli.platforms import platform_query
from havre.cli.pulling import Progress
from havre.cli.screen import STDIN, Screen
from havre.client.client import Client, json_lines
from havre.client.errors import ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the names that were loaded."""
    path = given.text("input")
    if not path and screen.is_terminal(STDIN):
        raise ClientError("requested load from stdin, but stdin is empty")
    check_readable(path)
    query: dict[str, str | int | None] = {"quiet": given.switch("quiet") or not screen.is_terminal()}
    if given.many("platform"):
        query["platform"] = platform_query(given.many("platform"))
    response = client.send("POST", "/images/load", query, stream=pieces_of(path))
    progress = Progress(terminal=screen.is_terminal())
    for line in json_lines(response):
        progress.show(line)
    return 0


COMMAND = Command(
    summary="Load an image from a tar archive or STDIN",
    usage="[OPTIONS]",
    flags=(
        text("input", "Read from tar archive file, instead of STDIN", short="i"),
        many("platform", "Load only the given platform variant"),
        switch("quiet", "Suppress the load output", short="q"),
    ),
    at_most=0,
    run=run,
)
