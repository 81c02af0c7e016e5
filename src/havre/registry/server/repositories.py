"""The verbs of a registry over what it holds: find, mount and delete blobs; find, put and delete manifests.

All calls block; those that write are durable when they return. Content comes before the record that names it,
and the record goes before the content (security.md, rule 23).
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from havre.content.store import Content
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_MANIFEST_BYTES
from havre.registry.server.described import Described
from havre.registry.server.needs import Needs
from havre.registry.server.paths import ManifestAt
from havre.registry.server.records.blobs import BlobRecords
from havre.registry.server.records.lists import Lists
from havre.registry.server.records.manifests import Held, ManifestRecords
from havre.registry.server.refusal import Code, Refusal


@dataclass(frozen=True, slots=True)
class Records:
    """The three views of the database."""

    blobs: BlobRecords
    manifests: ManifestRecords
    lists: Lists


class Repositories:
    """Every repository of one registry."""

    def __init__(self, content: Content, records: Records, needs: Needs) -> None:
        self.content = content
        self.records = records
        self.needs = needs

    # -- blobs

    def blob_size(self, name: str, digest: Digest) -> int:
        """Bytes of a blob that *name* holds; from now on a push may count on it. Raises Refusal."""
        self.needs.touch(name, digest)
        size = self.records.blobs.find(name, digest)
        if size is None or not self.content.has(digest):
            raise unknown_blob(digest)
        return size

    def mount(self, name: str, digest: Digest, source: str) -> bool:
        """Let *name* hold a blob that *source* holds; tells whether that was so."""
        self.needs.touch(name, digest)
        return self.content.has(digest) and self.records.blobs.mount(name, digest, source)

    def delete_blob(self, name: str, digest: Digest) -> None:
        """Let *name* no longer hold a blob; its bytes go with the next collection.

        Raises Refusal, also while a manifest of *name* needs it: no image is ever broken by a deletion.
        """
        if self.records.blobs.find(name, digest) is None:
            raise unknown_blob(digest)
        if not self.records.blobs.remove_unneeded(name, [digest]):
            users = self.records.blobs.users(name, digest)
            raise Refusal(
                Code.UNSUPPORTED, f"blob {digest} is needed by manifest {', '.join(users)}", detail={"manifests": users}
            )

    # -- manifests

    def find_manifest(self, at: ManifestAt) -> Held:
        """The manifest that a digest or a tag names. Raises Refusal."""
        manifests = self.records.manifests
        held = manifests.by_tag(at.name, at.text) if at.digest is None else manifests.by_digest(at.name, at.digest)
        if held is None:
            raise self.unknown_manifest(at)
        return held

    def read_manifest(self, digest: Digest) -> bytes:
        """The document, verified."""
        return self.content.read_bytes(digest, MAX_MANIFEST_BYTES)

    def put_manifest(
        self, name: str, data: bytes, described: Described, tags: Sequence[str], *, whole: bool = True
    ) -> None:
        """Store a document and let *name* hold it, under *tags*; with *whole*, all that it needs must be there.

        Raises Refusal.
        """
        with self.content.lease() as lease:
            self.content.ingest(io.BytesIO(data), described.digest, len(data), lease=lease)
            self.records.manifests.put(name, described, tags, whole=whole)

    def delete_manifest(self, at: ManifestAt) -> Digest | None:
        """Take away a tag, or a manifest with all its tags; gives the manifest's digest. Raises Refusal."""
        held = self.find_manifest(at)
        if at.digest is None:
            self.records.manifests.untag(at.name, at.text)
        else:
            self.records.manifests.remove(at.name, at.digest)
        return held.digest

    def unknown_manifest(self, at: ManifestAt) -> Refusal:
        """What is said of a manifest that is not there, or of its repository."""
        if not self.records.lists.has_repository(at.name):
            return Refusal(Code.NAME_UNKNOWN, "repository name not known to registry", detail={"name": at.name})
        return Refusal(Code.MANIFEST_UNKNOWN, "manifest unknown", detail={"name": at.name, "reference": at.text[:160]})


def unknown_blob(digest: Digest) -> Refusal:
    """What is said of a blob that is not there."""
    return Refusal(Code.BLOB_UNKNOWN, "blob unknown to registry", detail={"digest": str(digest)})
