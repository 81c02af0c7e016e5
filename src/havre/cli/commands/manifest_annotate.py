"""`havre manifest annotate`: say for which machines a manifest of a list is."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, many, text
from havre.cli.manifest_lists import ManifestLists, parse_name
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, _client: Client, _screen: Screen) -> int:
    """Only what is given changes."""
    lists, target, name = ManifestLists(), parse_name(given.args[0]), parse_name(given.args[1])
    for entry in lists.find(target):
        if parse_name(entry["Ref"]) != name:
            continue
        platform = entry["Descriptor"].setdefault("platform", {"architecture": "", "os": ""})
        if given.text("arch"):
            platform["architecture"] = given.text("arch")
        if given.text("os"):
            platform["os"] = given.text("os")
        if given.text("os-version"):
            platform["os.version"] = given.text("os-version")
        if given.text("variant"):
            platform["variant"] = given.text("variant")
        if given.many("os-features"):
            platform["os.features"] = [one for value in given.many("os-features") for one in value.split(",")]
        lists.keep(target, entry)
        return 0
    raise ClientError(f"manifest for image {name.familiar} does not exist in {target.familiar}")


COMMAND = Command(
    summary="Add additional information to a local image manifest",
    usage="[OPTIONS] MANIFEST_LIST MANIFEST",
    flags=(
        text("arch", "Set architecture"),
        text("os", "Set operating system"),
        many("os-features", "Set operating system feature"),
        text("os-version", "Set operating system version"),
        text("variant", "Set architecture variant"),
    ),
    at_least=2,
    at_most=2,
    run=run,
)
