"""Collection on a real store and database, under a clock of ours."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from havre.content.store import Content
from havre.oci.digest import Digest
from havre.registry.server.collection import Ages, collect
from havre.registry.server.described import describe
from havre.registry.server.needs import Needs
from havre.registry.server.paths import ManifestAt
from havre.registry.server.records.blobs import BlobRecords
from havre.registry.server.records.database import Database
from havre.registry.server.records.lists import Lists
from havre.registry.server.records.manifests import ManifestRecords
from havre.registry.server.refusal import Refusal
from havre.registry.server.repositories import Records, Repositories
from tests.support.oci_images import Image, artifact, image, index


class World:
    """A registry without its HTTP."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.database = Database(folder / "registry.db")
        self.records = Records(BlobRecords(self.database), ManifestRecords(self.database), Lists(self.database))
        self.content = Content(folder / "content")
        self.repositories = Repositories(self.content, self.records, Needs(60, lambda: self.now))

    def push(self, name: str, made: Image, *tags: str) -> Image:
        for data in made.blobs:
            stored = self.content.ingest(io.BytesIO(data))
            self.records.blobs.add(name, stored.digest, stored.size)
        described = describe(made.manifest, made.media_type, Digest.parse(made.digest))
        self.repositories.put_manifest(name, made.manifest, described, tags)
        return made

    def stored(self) -> set[str]:
        return {str(digest) for digest in self.content.digests()}

    def later(self, seconds: float = 1000) -> None:
        self.now += seconds


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def digests(*images: Image) -> set[str]:
    return {f"sha256:{hashlib.sha256(data).hexdigest()}" for each in images for data in (each.manifest, *each.blobs)}


def test_what_a_tag_or_a_digest_reaches_stays(world: World) -> None:
    tagged, plain = world.push("a", image(), "v1"), world.push("a", image())
    world.later()
    assert collect(world.repositories, Ages()).blobs == 0
    assert world.stored() == digests(tagged, plain)


def test_a_deleted_image_goes_and_shared_blobs_stay(world: World) -> None:
    made = world.push("a", image(), "v1")
    world.push("b", made, "v1")
    other = image(1)
    other.blobs.append(made.blobs[1])  # held by the repository, needed by nobody there
    world.push("c", other, "v1")
    world.repositories.delete_manifest(ManifestAt("a", made.digest, Digest.parse(made.digest)))
    world.later()
    collect(world.repositories, Ages())
    assert world.stored() == digests(made, other)
    assert world.records.lists.all_names() == ["b", "c"]
    assert world.records.blobs.find("c", Digest.of(made.blobs[1])) is None
    world.repositories.delete_manifest(ManifestAt("b", made.digest, Digest.parse(made.digest)))
    world.later()
    collected = collect(world.repositories, Ages())
    assert collected.blobs == len(digests(made))
    assert world.stored() == digests(other) - digests(made)


def test_blobs_without_a_manifest_stay_for_the_time_of_grace(world: World) -> None:
    stored = world.content.ingest(io.BytesIO(b"blob"))
    world.records.blobs.add("a", stored.digest, 4)
    world.later(59)
    collect(world.repositories, Ages())
    assert world.repositories.blob_size("a", stored.digest) == 4  # told that it is there: grace begins anew
    world.later(59)
    collect(world.repositories, Ages())
    assert world.content.has(stored.digest)
    world.later(61)
    collect(world.repositories, Ages())
    assert not world.content.has(stored.digest)
    with pytest.raises(Refusal):
        world.repositories.blob_size("a", stored.digest)


def test_old_manifests_go_unless_something_leads_to_them(world: World) -> None:
    alone = world.push("a", image())
    tagged = world.push("a", image(), "v1")
    children = [world.push("a", image()) for _ in range(2)]
    both = world.push("a", index(*children), "v2")
    about = world.push("a", artifact(tagged, "application/x"))
    about_nothing = world.push("a", artifact(image(), "application/x"))
    assert collect(world.repositories, Ages(untagged=3600)).manifests == 0
    assert collect(world.repositories, Ages(untagged=0)).manifests == 2
    world.later()
    collect(world.repositories, Ages(untagged=0))
    kept = digests(tagged, *children, both, about)
    assert world.stored() == kept
    assert not digests(alone) & kept
    assert about_nothing.digest not in kept
    world.repositories.delete_manifest(ManifestAt("a", "v2", None))
    for _ in range(2):  # the index first, then what only it led to
        world.later()
        collect(world.repositories, Ages(untagged=0))
    assert world.stored() == digests(tagged, about)


def test_a_cache_forgets_what_is_not_used(world: World) -> None:
    used, unused = world.push("a", image(), "v1"), world.push("a", image(), "v2")
    world.records.manifests.renew("a", Digest.parse(used.digest))
    with world.database.transaction() as cursor:
        cursor.execute("UPDATE manifests SET pushed_ns = 1 WHERE digest = ?", (unused.digest,))
    assert collect(world.repositories, Ages(unused=3600)).manifests == 1
    world.later()
    collect(world.repositories, Ages(unused=3600))
    assert world.stored() == digests(used)
    assert world.records.manifests.by_tag("a", "v2") is None


def test_a_newer_database_is_refused(world: World, tmp_path: Path) -> None:
    with world.database.transaction() as cursor:
        cursor.execute("PRAGMA user_version = 99")
    world.database.close()
    from havre.base.errors import InvalidInput

    with pytest.raises(InvalidInput, match="newer"):
        Database(tmp_path / "registry.db")
