"""`--cache-from` and `--cache-to` of `havre build`: folders here are sent along, and written from the answer."""

from __future__ import annotations

import os

from havre.cli.build_flags import csv_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from havre.cli.build_sources import Context
    from havre.cli.flags import Given
    from havre.cli.screen import Screen
    from havre.client.client import Client


def cache_fields(given: Given, context: Context, screen: Screen) -> list[tuple[str, str]]:
    """The fields of the query that name the caches. Raises ClientError."""
    import json

    read = [_source(text, context, number, screen) for number, text in enumerate(given.many("cache-from"))]
    found = {"cachefrom": [text for text in read if text], "cacheto": list(given.many("cache-to"))}
    return [(name, json.dumps(texts)) for name, texts in found.items() if texts]


def _source(text: str, context: Context, number: int, screen: Screen) -> str:
    """The cache as the daemon shall find it; empty for a folder that is not there."""
    from havre.cli.build_sources import add_folder

    if "=" not in text:
        return f"type=registry,ref={text}"
    fields = csv_fields(text, "cache-from")
    if fields.get("type") != "local":
        return text
    folder = fields.get("src", "")
    if not os.path.isfile(os.path.join(folder, "index.json")):
        screen.error(f"WARNING: there is no cache in {folder or text}")
        return ""
    fields["src"] = add_folder(context, folder, number)
    return ",".join(f"{name}={value}" for name, value in fields.items())


def write_caches(client: Client, caches: Iterable[tuple[str, list[str]]]) -> None:
    """Fetch each cache into its folder. Raises ClientError."""
    from havre.cli.tar_in import Stream, unpack

    for folder, keys in caches:
        os.makedirs(folder, exist_ok=True)
        unpack(Stream(client.send("POST", "/build/cache", body={"Keys": keys}).chunks()), folder, "", "")
