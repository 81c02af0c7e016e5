"""`havre volume import`: an archive to a volume."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.files import check_readable, pieces_of
from havre.cli.flags import Given, text
from havre.cli.screen import STDIN, Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the volume's name."""
    path = given.text("input")
    if not path and screen.is_terminal(STDIN):
        raise ClientError("requested import from stdin, but stdin is empty")
    check_readable(path)
    for _ in client.send("POST", f"/volumes/{given.args[0]}/import", stream=pieces_of(path)).chunks():
        pass
    screen.line(given.args[0])
    return 0


COMMAND = Command(
    summary="Fill a new or empty volume from a tar archive or STDIN",
    usage="[OPTIONS] VOLUME",
    flags=(text("input", "Read from tar archive file, instead of STDIN", short="i"),),
    at_least=1,
    at_most=1,
    run=run,
)
