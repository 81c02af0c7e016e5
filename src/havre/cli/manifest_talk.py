"""What `manifest` asks registries itself, without a daemon: this process is the client."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from havre.base.errors import HavreError
from havre.cli.credentials import CredentialStore, server_of
from havre.cli.manifest_lists import Descriptor, Entry, Platform
from havre.client.errors import ClientError
from havre.oci import image_config, manifest
from havre.oci.descriptor import DOCKER_MANIFEST
from havre.oci.descriptor import Descriptor as OciDescriptor
from havre.oci.manifest import Index, Manifest
from havre.oci.reference import Reference
from havre.registry.client.documents import Document
from havre.registry.client.errors import NotThere
from havre.registry.client.keyring import Credentials
from havre.registry.client.registries import Registries
from havre.registry.client.repository import Repository
from havre.registry.client.settings import Settings
from havre.registry.client.uploads import Uploads

_T = TypeVar("_T")


def talk(work: Callable[[Registries], Coroutine[object, object, _T]], name: Reference, *, insecure: bool) -> _T:
    """What *work* makes of registries. Raises ClientError in docker's words."""

    async def run() -> _T:
        registries = Registries(Settings(insecure=(name.domain,) if insecure else ()))
        try:
            return await work(registries)
        finally:
            await registries.close()

    try:
        return asyncio.run(run())
    except NotThere:
        raise ClientError(f"no such manifest: {name.familiar}") from None
    except HavreError as error:
        raise ClientError(error.message) from None


async def fetch(registries: Registries, name: Reference) -> list[Entry]:
    """The manifest that *name* means, or every one of an index."""
    repository = await registries.repository(name, who(name))
    document = await repository.manifest(name.digest or name.tag)
    parsed = manifest.decode(document.data, document.descriptor.media_type)
    if isinstance(parsed, Manifest):
        return [await _entry(repository, name.familiar, document, parsed)]
    entries = []
    for one in parsed.manifests:
        inner = await repository.manifest(str(one.parsed_digest()), one.size)
        found = manifest.decode(inner.data, inner.descriptor.media_type)
        if isinstance(found, Manifest):
            ref = f"{name.familiar}@{one.digest}"
            entries.append(await _entry(repository, ref, inner, found, _platform(one)))
    return entries


async def fetch_document(registries: Registries, name: Reference) -> tuple[bytes, bool]:
    """The bytes of what *name* means, and whether it is an index."""
    repository = await registries.repository(name, who(name))
    document = await repository.manifest(name.digest or name.tag)
    return document.data, isinstance(manifest.decode(document.data, document.descriptor.media_type), Index)


async def push_entry(registries: Registries, target: Reference, entry: Entry) -> None:
    """Bring a manifest with all its blobs into the repository of *target*: mounted where the registry is the same."""
    source = Reference.parse(entry["Ref"])
    data = base64.b64decode(entry["Raw"])
    uploads = await registries.uploads(target, who(target))
    if source.repository() != target.repository():
        await _bring_blobs(registries, uploads, source, target, data)
    known = entry["Descriptor"]
    pointer = OciDescriptor(media_type=known["mediaType"], digest=known["digest"], size=known["size"])
    await uploads.put_manifest(known["digest"], Document(pointer, data))


async def push_list(registries: Registries, target: Reference, data: bytes, media_type: str) -> str:
    """Publish the list; gives its digest."""
    from havre.oci.digest import Digest

    digest = str(Digest.of(data))
    pointer = OciDescriptor(media_type=media_type, digest=digest, size=len(data))
    uploads = await registries.uploads(target, who(target))
    await uploads.put_manifest(target.tag or digest, Document(pointer, data))
    return digest


def who(name: Reference) -> Credentials:
    """What the user is called at the registry of *name*."""
    found = CredentialStore().find(server_of(str(name)))
    return Credentials(found.username, found.password, found.identity_token)


@dataclass(frozen=True)
class _RemoteBlob:
    """A blob of another repository, as `uploads.Source`."""

    repository: Repository
    descriptor: OciDescriptor

    def pieces(self, start: int) -> AsyncIterator[bytes]:
        return self.repository.blob(self.descriptor, start)


async def _bring_blobs(
    registries: Registries, uploads: Uploads, source: Reference, target: Reference, data: bytes
) -> None:
    repository = await registries.repository(source, who(source))
    parsed = manifest.decode(data)
    if not isinstance(parsed, Manifest):
        return
    near = [source.path] if source.domain == target.domain else []
    for blob in (*parsed.layers, parsed.config):
        await uploads.place(_RemoteBlob(repository, blob), near, lambda _: None)


async def _entry(
    repository: Repository, ref: str, document: Document, parsed: Manifest, platform: Platform | None = None
) -> Entry:
    if platform is None:
        config = image_config.decode(await repository.small_blob(parsed.config, image_config.MAX_CONFIG_BYTES))
        platform = {"architecture": config.architecture, "os": config.os}
        if config.variant:
            platform["variant"] = config.variant
    media_type = document.descriptor.media_type or parsed.media_type
    known: Descriptor = {
        "mediaType": media_type,
        "digest": document.descriptor.digest,
        "size": document.descriptor.size,
        "platform": platform,
    }
    entry: Entry = {"Ref": ref, "Descriptor": known, "Raw": base64.b64encode(document.data).decode()}
    said = json.loads(document.data)
    if media_type == DOCKER_MANIFEST:
        entry["SchemaV2Manifest"] = said
    else:
        entry["OCIManifest"] = said
    return entry


def _platform(one: OciDescriptor) -> Platform | None:
    if one.platform is None:
        return None
    shown: Platform = msgspec.to_builtins(one.platform)
    return shown
