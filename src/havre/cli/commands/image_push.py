"""`havre push`: upload an image to a registry."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.platforms import platform_of
from havre.cli.pulling import push, split_image
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the progress; with -q the reference alone."""
    image, every = given.args[0], given.switch("all-tags")
    name, tag = split_image(image)
    if every and image != name:
        raise ClientError("tag can't be used with --all-tags/-a")
    quiet = given.switch("quiet")
    if image == name and not every and not quiet:
        screen.line(f"Using default tag: {tag}")
    push(client, screen, name, {**({} if every else {"tag": tag}), **platform_of(given)}, quiet=quiet)
    if quiet:
        screen.line(image if every or image != name else f"{name}:{tag}")
    return 0


COMMAND = Command(
    summary="Upload an image to a registry",
    usage="[OPTIONS] NAME[:TAG]",
    flags=(
        switch("all-tags", "Push all tags of an image to the repository", short="a"),
        switch("disable-content-trust", "Skip image signing", default=True),
        text("platform", "Push a platform-specific manifest as a single-platform image to the registry"),
        switch("quiet", "Suppress verbose output", short="q"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
