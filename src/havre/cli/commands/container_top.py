"""`havre top`: the processes of a container."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.cli.tables import clean, table
from havre.client.client import Client
from havre.wire.containers import TopResponse


def run(given: Given, client: Client, screen: Screen) -> int:
    """The columns of ps, as its options ask."""
    name, *options = given.args
    answer = client.get(f"/containers/{name}/top", TopResponse, {"ps_args": " ".join(options)})
    rows = [answer.get("Titles") or [], *(answer.get("Processes") or [])]
    for line in table([[clean(cell) for cell in row] for row in rows], least=20):
        screen.line(line)
    return 0


COMMAND = Command(
    summary="Display the running processes of a container",
    usage="CONTAINER [ps OPTIONS]",
    at_least=1,
    interspersed=False,
    run=run,
)
