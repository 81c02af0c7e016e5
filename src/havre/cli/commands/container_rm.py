"""`havre rm`: remove containers."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import shown_error
from havre.cli.flags import Given, switch
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print each name; with --force a container that is not there is no failure."""
    force = given.switch("force")
    query = {"force": force, "v": given.switch("volumes"), "link": given.switch("link")}
    code = 0
    for name in given.args:
        try:
            client.act("DELETE", f"/containers/{name.strip('/')}", query)
        except ClientError as error:
            absent = isinstance(error, ApiError) and error.status == 404
            screen.error(shown_error(error))
            code = code if force and absent else 1
        else:
            screen.line(name)
    return code


COMMAND = Command(
    summary="Remove one or more containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    flags=(
        switch("force", "Force the removal of a running container (uses SIGKILL)", short="f"),
        switch("link", "Remove the specified link", short="l"),
        switch("volumes", "Remove anonymous volumes associated with the container", short="v"),
    ),
    at_least=1,
    run=run,
)
