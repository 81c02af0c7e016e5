"""`havre import`: an image of one layer from the archive of a root folder."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.files import check_readable, pieces_of
from havre.cli.flags import Given, many, text
from havre.cli.screen import Screen
from havre.client.client import Client, json_lines


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the id of the image."""
    source = given.args[0]
    check_readable(source)
    from urllib.parse import urlencode

    fields = [("fromSrc", "-"), ("message", given.text("message")), ("platform", given.text("platform"))]
    fields += [("repo", given.args[1])] if len(given.args) > 1 else []
    fields += [("changes", change) for change in given.many("change")]
    query = urlencode([(name, value) for name, value in fields if value])
    response = client.send("POST", f"/images/create?{query}", stream=pieces_of(source))
    for line in json_lines(response):
        if status := line.get("status"):
            screen.line(str(status))
    return 0


COMMAND = Command(
    summary="Import the contents from a tarball to create a filesystem image",
    usage="[OPTIONS] file|- [REPOSITORY[:TAG]]",
    flags=(
        many("change", "Apply Dockerfile instruction to the created image", short="c"),
        text("message", "Set commit message for imported image", short="m"),
        text("platform", "Set platform if server is multi-platform capable"),
    ),
    at_least=1,
    at_most=2,
    run=run,
)
