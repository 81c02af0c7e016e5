"""Pushes to a registry that breaks off, refuses and misleads."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.base.errors import HavreError
from havre.images.pushing import Pushes, PushWishes
from havre.images.transfer_events import LayerState, TagPushed, TransferEvent
from havre.oci.reference import Reference
from havre.registry.client.errors import BadAnswer, Unreachable
from havre.registry.client.keyring import Credentials
from havre.registry.client.registries import Registries
from havre.registry.client.settings import Settings
from tests.support.archives import DockerArchive, digest, tar
from tests.support.hostile_registry import Answer, Asked, HostileRegistry
from tests.support.image_world import World, opened

pytestmark = pytest.mark.root

LAYERS = [tar({"a": b"one"}), tar({"b": bytes(range(256)) * 5000, "c": Path("/bin/busybox").read_bytes()})]
SETTINGS = Settings(attempts=5, pause_s=0.01, stall_s=1.0, certificates=())


class Place:
    def __init__(self, world: World, registry: HostileRegistry) -> None:
        self.world = world
        self.registry = registry
        self.registries = Registries(SETTINGS)
        self.pushes = Pushes(world.store, self.registries)

    def name(self, repository: str = "x/y", tag: str = "1") -> str:
        return f"{self.registry.name}/{repository}:{tag}"

    async def load(self, *names: str) -> None:
        await self.world.load(DockerArchive(LAYERS, tags=list(names)).bytes())

    async def push(self, name: str) -> list[TransferEvent]:
        wishes = PushWishes(reference=Reference.parse(name), who=Credentials("ann", "pw"))
        return [event async for event in self.pushes.push(wishes)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with opened(tmp_path / "data") as world, HostileRegistry().serving() as registry:
        made = Place(world, registry)
        await made.load(made.name(), made.name("other/z"))
        yield made
        await made.registries.close()


def states(events: list[TransferEvent]) -> set[str]:
    return {event.state for event in events if isinstance(event, LayerState)}


async def test_what_arrives_is_what_was_here(place: Place) -> None:
    events = await place.push(place.name())
    pushed = events[-1]
    assert isinstance(pushed, TagPushed)
    assert digest(place.registry.manifests["1"][1]) == pushed.digest
    (image,) = place.world.images.list()
    assert image.manifest.digest == pushed.digest
    assert f"{place.registry.name}/x/y@{pushed.digest}" in image.repo_digests
    unpacked = {digest(gzip.decompress(data)) for data in place.registry.blobs.values() if data[:2] == b"\x1f\x8b"}
    assert unpacked == {digest(layer) for layer in LAYERS}
    assert states(await place.push(place.name())) == {"Preparing", "Layer already exists"}
    assert states(await place.push(place.name("other/z"))) <= {"Preparing", "Layer already exists", "Mounted from x/y"}
    assert not place.registry.uploads


async def test_an_upload_goes_on_where_it_broke(place: Place) -> None:
    place.registry.break_after = 5000
    await place.push(place.name())
    assert [one for one in place.registry.requests("PATCH") if one.headers.get("content-range", "").startswith("5000-")]
    assert digest(place.registry.manifests["1"][1])


@pytest.mark.parametrize(
    "pattern", ["HEAD .*/blobs/", "POST .*/uploads/", "PATCH ", "PUT .*/uploads/", "PUT .*/manifests/"]
)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_passes_is_overcome(place: Place, pattern: str, status: int) -> None:
    left = [2]

    def fault(asked: Asked, _times: int) -> Answer | None:
        if not left[0] or not re.search(pattern, f"{asked.method} {asked.path}"):
            return None
        left[0] -= 1
        return Answer(status, b"{}", {"Retry-After": "0"})

    place.registry.fault = fault
    assert isinstance((await place.push(place.name()))[-1], TagPushed)
    assert not left[0]


@pytest.mark.parametrize(
    ("pattern", "answer", "kind"),
    [
        ("PATCH ", Answer(500, b"{}"), Unreachable),
        ("PUT .*/manifests/", Answer(400, b'{"errors":[{"code":"MANIFEST_INVALID","message":"no"}]}'), BadAnswer),
        ("PUT .*/uploads/", Answer(400, b"{}"), BadAnswer),
        ("POST .*/uploads/", Answer(202, b"", {"Location": "ftp://x/"}), BadAnswer),
        ("POST .*/uploads/", Answer(403, b'{"errors":[{"code":"DENIED","message":"no"}]}'), HavreError),
    ],
)
async def test_what_lasts_is_told(place: Place, pattern: str, answer: Answer, kind: type[HavreError]) -> None:
    place.registry.fault = lambda asked, _times: answer if re.search(pattern, f"{asked.method} {asked.path}") else None
    with pytest.raises(kind):
        await place.push(place.name())
    assert "1" not in place.registry.manifests
    assert len(place.registry.asked) < 60


async def test_credentials_do_not_follow_an_upload(place: Place) -> None:
    async with HostileRegistry().serving() as stranger:
        place.registry.fault = lambda asked, _times: (
            Answer(202, b"", {"Location": f"http://{stranger.name}/v2/x/blobs/uploads/1"})
            if asked.method == "POST"
            else None
            if "authorization" in asked.headers or asked.path == "/v2/"
            else Answer(401, b"{}", {"WWW-Authenticate": "Basic realm=x"})
        )
        with pytest.raises(HavreError):
            await place.push(place.name())
        assert stranger.asked
        assert not [one for one in stranger.asked if "authorization" in one.headers]


async def test_damage_is_found_while_it_is_read(place: Place) -> None:
    """C-03: a bit that flipped on our disk does not become somebody else's."""
    await place.push(place.name())
    place.registry.blobs.clear()
    place.registry.manifests.clear()
    victim = max((place.world.root / "content/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(HavreError, match=victim.name):
        await place.push(place.name())
    assert not place.registry.manifests
