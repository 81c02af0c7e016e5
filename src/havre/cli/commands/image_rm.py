"""`havre rmi`: take names from images, and remove what has no name left."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.each import each
from havre.cli.flags import Given, many, switch
from havre.cli.platforms import platform_query
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError
from havre.wire.images import DeleteItem


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was untagged and deleted; with --force an image that is not there is no failure."""
    query: dict[str, str | int] = {"force": given.switch("force"), "noprune": given.switch("no-prune")}
    if platforms := given.many("platform"):
        query["platforms"] = platform_query(platforms)
    absent_only = True

    def remove(name: str) -> None:
        nonlocal absent_only
        try:
            response = client.send("DELETE", f"/images/{name}", query)
        except ApiError as error:
            absent_only = absent_only and error.status == 404
            raise
        import json

        done: list[DeleteItem] = json.loads(response.read())
        for item in done:
            for verb in ("Deleted", "Untagged"):
                if value := item.get(verb):
                    screen.line(f"{verb}: {value}")

    code = each(given.args, remove, screen, echo=False)
    return 0 if given.switch("force") and absent_only else code


COMMAND = Command(
    summary="Remove one or more images",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    flags=(
        switch("force", "Force removal of the image", short="f"),
        switch("no-prune", "Do not delete untagged parents"),
        many("platform", "Remove only the given platform variant"),
    ),
    at_least=1,
    run=run,
)
