"""`havre wait`: block until containers stop, then print their exit codes."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.containers import WaitResponse


def run(given: Given, client: Client, screen: Screen) -> int:
    """One code a line, in the order of the names."""

    def wait(name: str) -> None:
        answer = client.post(f"/containers/{name}/wait", WaitResponse)
        screen.line(str(answer.get("StatusCode")))

    return each(given.args, wait, screen, echo=False)


COMMAND = Command(
    summary="Block until one or more containers stop, then print their exit codes",
    usage="CONTAINER [CONTAINER...]",
    at_least=1,
    run=run,
)
