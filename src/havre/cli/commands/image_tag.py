"""`havre tag`: give an image one more name."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.pulling import split_image
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print nothing."""
    del screen
    source, target = given.args
    repository, tag = split_image(target)
    client.act("POST", f"/images/{source}/tag", {"repo": repository, "tag": tag})
    return 0


COMMAND = Command(
    summary="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    at_least=2,
    at_most=2,
    run=run,
)
