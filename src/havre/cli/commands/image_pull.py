"""`havre pull`: download an image from a registry."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.pulling import pull, pull_all, split_image
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the progress and the reference."""
    image, quiet = given.args[0], given.switch("quiet")
    name, tag = split_image(image)
    if given.switch("all-tags"):
        if image != name:
            raise ClientError("tag can't be used with --all-tags/-a")
        pull_all(client, screen, name, given.text("platform"), quiet=quiet)
        screen.line(_whole(name, "").removesuffix(":"))
        return 0
    if image == name and not quiet:
        screen.line(f"Using default tag: {tag}")
    pull(client, screen, image, given.text("platform"), quiet=quiet)
    screen.line(_whole(name, tag))
    return 0


def _whole(name: str, tag: str) -> str:
    first, slash, _ = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    return f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"


COMMAND = Command(
    summary="Download an image from a registry",
    usage="[OPTIONS] NAME[:TAG|@DIGEST]",
    flags=(
        switch("all-tags", "Download all tagged images in the repository", short="a"),
        switch("disable-content-trust", "Skip image verification", default=True),
        text("platform", "Set platform if server is multi-platform capable"),
        switch("quiet", "Suppress verbose output", short="q"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
