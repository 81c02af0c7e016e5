"""Manifest lists in the making, in the user's own folder, as docker keeps them: one file a manifest."""

from __future__ import annotations

import json
import os
from typing import NotRequired, TypedDict

from havre.cli.docker_config import config_folder
from havre.client.errors import ClientError
from havre.oci.reference import Reference

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LIST_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_MAX_BYTES = 8 << 20

Platform = TypedDict(
    "Platform",
    {
        "architecture": str,
        "os": str,
        "os.version": NotRequired[str],
        "os.features": NotRequired[list[str]],
        "variant": NotRequired[str],
    },
)


class Descriptor(TypedDict):
    """A manifest, and for which machines it is."""

    mediaType: str
    digest: str
    size: int
    platform: NotRequired[Platform]


class Entry(TypedDict):
    """One manifest of a list: where it came from, what it is, its bytes in base64, and what they say."""

    Ref: str
    Descriptor: Descriptor
    Raw: str
    SchemaV2Manifest: NotRequired[object]
    OCIManifest: NotRequired[object]


class ManifestLists:
    """All lists in the making."""

    __slots__ = ("_folder",)

    def __init__(self) -> None:
        self._folder = os.path.join(config_folder(), "manifests")

    def find(self, name: Reference) -> list[Entry]:
        """The manifests of a list, none for a list that is not there. Raises ClientError for a damaged file."""
        folder = self._of(name)
        try:
            files = sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        return [_read(os.path.join(folder, file)) for file in files]

    def get(self, name: Reference) -> list[Entry]:
        """The same. Raises ClientError for a list that is not there."""
        found = self.find(name)
        if not found:
            raise ClientError(f"No such manifest: {name.familiar}")
        return found

    def keep(self, name: Reference, entry: Entry) -> None:
        """Put a manifest into a list, in the place of the one that came from the same reference."""
        folder = self._of(name)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        path = os.path.join(folder, _file_name(Reference.parse(entry["Ref"]).with_default_tag()))
        staged = f"{path}.{os.getpid()}"
        with open(staged, "w", encoding="utf-8") as file:
            json.dump(entry, file, separators=(",", ":"))
        os.replace(staged, path)

    def remove(self, name: Reference) -> bool:
        """Whether there was such a list."""
        folder = self._of(name)
        if not os.path.isdir(folder):
            return False
        for file in os.listdir(folder):
            os.unlink(os.path.join(folder, file))
        os.rmdir(folder)
        return True

    def _of(self, name: Reference) -> str:
        return os.path.join(self._folder, _file_name(name))


def parse_name(text: str) -> Reference:
    """A name with a tag or a digest. Raises ClientError."""
    from havre.base.errors import InvalidInput

    try:
        return Reference.parse(text).with_default_tag()
    except InvalidInput as error:
        raise ClientError(f"error parsing name for manifest list {text}: {error}") from None


def as_document(entries: list[Entry]) -> dict[str, object]:
    """The list that *entries* make: an OCI index, if all of them are OCI's."""
    is_oci = all(entry["Descriptor"]["mediaType"] == _OCI_MANIFEST for entry in entries)
    manifests = []
    for entry in entries:
        known = entry["Descriptor"]
        shown: dict[str, object] = {key: known[key] for key in ("mediaType", "size", "digest")}
        shown["platform"] = known.get("platform") or {}
        manifests.append(shown)
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE if is_oci else LIST_TYPE, "manifests": manifests}


def as_bytes(document: dict[str, object]) -> bytes:
    """As docker writes and pushes it."""
    return json.dumps(document, indent=3).encode()


def _file_name(name: Reference) -> str:
    return str(name).replace("@", "-").replace(":", "-").replace("/", "_")


def _read(path: str) -> Entry:
    try:
        with open(path, "rb") as file:
            entry: Entry = json.loads(file.read(_MAX_BYTES))
        known = entry["Descriptor"]
        sound = isinstance(entry["Ref"], str) and isinstance(known["digest"], str) and isinstance(known["size"], int)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{path}: {error}") from None
    if not sound:
        raise ClientError(f"{path}: it is no manifest of a list")
    return entry
