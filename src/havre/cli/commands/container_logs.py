"""`havre logs`: what a container said."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.framed import copy_frames
from havre.cli.moments import moment
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.containers import ContainerInspect


def run(given: Given, client: Client, screen: Screen) -> int:
    """Standard output to standard output, standard error to standard error."""
    shown = client.get(f"/containers/{given.args[0]}/json", ContainerInspect)
    tty = bool((shown.get("Config") or {}).get("Tty"))
    query: dict[str, str | int | None] = {
        "stdout": True,
        "stderr": True,
        "since": moment(given.text("since")),
        "until": moment(given.text("until")),
        "timestamps": given.switch("timestamps"),
        "follow": given.switch("follow"),
        "tail": given.text("tail"),
        "details": given.switch("details"),
    }
    response = client.send("GET", f"/containers/{shown.get('Id')}/logs", query)
    if tty:
        for piece in response.chunks():
            screen.write(piece)
    else:
        copy_frames(response.chunks())
    return 0


COMMAND = Command(
    summary="Fetch the logs of a container",
    usage="[OPTIONS] CONTAINER",
    flags=(
        switch("details", "Show extra details provided to logs"),
        switch("follow", "Follow log output", short="f"),
        text(
            "since", 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'
        ),
        text("tail", "Number of lines to show from the end of the logs", short="n", default="all"),
        switch("timestamps", "Show timestamps", short="t"),
        text(
            "until",
            'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
        ),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
