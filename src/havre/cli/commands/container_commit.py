"""`havre commit`: an image of what a container changed."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, many, switch, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.client.quick_json import loads


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the id of the image."""
    from urllib.parse import urlencode

    fields = [("container", given.args[0]), ("comment", given.text("message")), ("author", given.text("author"))]
    fields += [("repo", given.args[1])] if len(given.args) > 1 else []
    fields += [("changes", change) for change in given.many("change")]
    fields += [] if given.switch("pause") else [("pause", "0")]
    query = urlencode([(name, value) for name, value in fields if value])
    answer = loads(client.send("POST", f"/commit?{query}").read())
    if not isinstance(answer, dict):
        raise ClientError("the daemon's answer is no object")
    screen.line(str(answer.get("Id", "")))
    return 0


COMMAND = Command(
    summary="Create a new image from a container's changes",
    usage="[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    flags=(
        text("author", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', short="a"),
        many("change", "Apply Dockerfile instruction to the created image", short="c"),
        text("message", "Commit message", short="m"),
        switch("pause", "Pause container during commit", short="p", default=True),
    ),
    at_least=1,
    at_most=2,
    run=run,
)
