"""`havre manifest inspect`: what a name means in its registry, or what a list in the making holds."""

from __future__ import annotations

import json

from havre.cli.command import Command
from havre.cli.flags import Given, switch
from havre.cli.manifest_lists import ManifestLists, as_bytes, as_document, parse_name
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError


def run(given: Given, _client: Client, screen: Screen) -> int:
    """As docker shows it: lists with three blanks, manifests with tabs."""
    names = [parse_name(text) for text in given.args]
    verbose, insecure = given.switch("verbose"), given.switch("insecure")
    from havre.cli.manifest_talk import fetch, fetch_document, talk

    if len(names) == 2:
        found = [one for one in ManifestLists().get(names[0]) if parse_name(one["Ref"]) == names[1]]
        if not found:
            raise ClientError(f"No such manifest: {names[1].familiar}")
        said = found[0].get("OCIManifest", found[0].get("SchemaV2Manifest"))
        screen.line(_indented(found[0] if verbose else said))
        return 0
    name = names[0]
    local = ManifestLists().find(name)
    if local and not verbose:
        screen.line(as_bytes(as_document(local)).decode())
        return 0
    if verbose:
        entries = local or talk(lambda registries: fetch(registries, name), name, insecure=insecure)
        screen.line(_indented(entries[0] if len(entries) == 1 else entries))
        return 0
    data, is_index = talk(lambda registries: fetch_document(registries, name), name, insecure=insecure)
    screen.line(json.dumps(json.loads(data), indent=3) if is_index else _indented(json.loads(data)))
    return 0


def _indented(value: object) -> str:
    return json.dumps(value, indent="\t", ensure_ascii=False)


COMMAND = Command(
    summary="Display an image manifest, or manifest list",
    usage="[OPTIONS] [MANIFEST_LIST] MANIFEST",
    flags=(
        switch("insecure", "Allow communication with an insecure registry"),
        switch("verbose", "Output additional info including layers and platform", short="v"),
    ),
    at_least=1,
    at_most=2,
    run=run,
)
