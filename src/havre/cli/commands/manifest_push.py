"""`havre manifest push`: publish a list, and before it every manifest that its repository does not have."""

from __future__ import annotations

from functools import partial

from havre.cli.command import Command
from havre.cli.flags import Given, switch
from havre.cli.manifest_lists import ManifestLists, as_bytes, as_document, parse_name
from havre.cli.screen import Screen
from havre.client.client import Client


def run(given: Given, _client: Client, screen: Screen) -> int:
    """Print what was pushed, and the digest of the list."""
    from havre.cli.manifest_talk import push_entry, push_list, talk

    lists, target, insecure = ManifestLists(), parse_name(given.args[0]), given.switch("insecure")
    entries = lists.get(target)
    for entry in entries:
        talk(partial(push_entry, target=target, entry=entry), target, insecure=insecure)
        digest = entry["Descriptor"]["digest"]
        screen.line(f"Pushed ref {target.familiar_name}@{digest} with digest: {digest}")
    document = as_document(entries)
    data, kind = as_bytes(document), str(document["mediaType"])
    screen.line(talk(lambda registries: push_list(registries, target, data, kind), target, insecure=insecure))
    if given.switch("purge"):
        lists.remove(target)
    return 0


COMMAND = Command(
    summary="Push a manifest list to a repository",
    usage="[OPTIONS] MANIFEST_LIST",
    flags=(
        switch("insecure", "Allow push to an insecure registry"),
        switch("purge", "Remove the local manifest list after push", short="p"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
