"""G-01 to G-04: a registry that breaks off, lies, stalls and misleads; all ends well, or clearly and without trace."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from havre.base.errors import Forbidden, HavreError, InvalidInput, NotFound, NotSupported, Unavailable
from havre.images.pulling import Pulls, PullWishes
from havre.images.transfer_events import Note, TransferEvent
from havre.oci.digest import Digest
from havre.oci.reference import Reference
from havre.registry.client.errors import BadAnswer
from havre.registry.client.keyring import STRANGER, Credentials
from havre.registry.client.registries import Registries
from havre.registry.client.settings import Settings
from tests.support.archives import OCI_CONFIG, OCI_LAYER, Special, config, digest, tar
from tests.support.hostile_registry import Answer, Asked, Fault, HostileRegistry
from tests.support.image_world import World, opened

pytestmark = pytest.mark.root

LAYERS = [tar({"a": b"one"}), tar({"b": bytes(range(256)) * 2000}), tar({"c": b"three" * 9000})]
BIG = LAYERS[1]
SETTINGS = Settings(attempts=5, pause_s=0.01, stall_s=0.5, certificates=())


class Place:
    """A store and a registry."""

    def __init__(self, world: World, registry: HostileRegistry, settings: Settings = SETTINGS) -> None:
        self.world = world
        self.registry = registry
        self.registries = Registries(settings)
        self.pulls = Pulls(world.store, self.registries)

    async def pull(self, name: str = "x/y:1", who: Credentials = STRANGER) -> list[TransferEvent]:
        reference = Reference.parse(f"{self.registry.name}/{name}")
        wishes = PullWishes(reference=reference, who=who)
        return [event async for event in self.pulls.pull(wishes)]

    def files(self) -> set[str]:
        root = self.world.root
        kept = ("content/blobs", "content/partial", "content/ingest", "overlay2/staging")
        found = {str(path.relative_to(root)) for one in kept for path in (root / one).rglob("*")}
        return {path for path in found if not path.endswith(("sha256", "sha512"))}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with opened(tmp_path / "data") as world, HostileRegistry().serving() as registry:
        made = Place(world, registry)
        yield made
        await made.registries.close()


def once(
    pattern: str, answer: Callable[[HostileRegistry, Asked], Answer], times: int = 1
) -> Callable[[HostileRegistry], Fault]:
    """A fault in the first *times* requests that fit."""

    def made(registry: HostileRegistry) -> Fault:
        left = [times]

        def fault(asked: Asked, _times: int) -> Answer | None:
            if not left[0] or not re.search(pattern, f"{asked.method} {asked.path}"):
                return None
            left[0] -= 1
            return answer(registry, asked)

        return fault

    return made


def cut(at: int, *, reset: bool) -> Callable[[HostileRegistry, Asked], Answer]:
    def answer(registry: HostileRegistry, asked: Asked) -> Answer:
        right = registry.right(asked)
        right.cut, right.reset = (min(at, len(right.body) - 1) if at >= 0 else at), reset
        return right

    return answer


def status(code: int, **headers: str) -> Callable[[HostileRegistry, Asked], Answer]:
    return lambda _registry, _asked: Answer(code, b"{}", {k.replace("_", "-"): v for k, v in headers.items()})


def stalled(registry: HostileRegistry, asked: Asked) -> Answer:
    right = registry.right(asked)
    right.cut, right.stall = 10, True
    return right


def dripping(registry: HostileRegistry, asked: Asked) -> Answer:
    right = registry.right(asked)
    right.piece, right.pause_s = 1, 0.02
    return right


def wrong_bytes(registry: HostileRegistry, asked: Asked) -> Answer:
    right = registry.right(asked)
    right.body = right.body[:-1] + bytes([right.body[-1] ^ 1])
    return right


def other_range(registry: HostileRegistry, asked: Asked) -> Answer:
    right = registry.right(asked)
    right.cut, right.reset = 1000, True
    registry.ranges = False
    return right


def start_of(asked: Asked) -> int:
    return int(asked.headers.get("range", "bytes=0-")[6:-1])


BLOB = f"GET .*/blobs/{digest(BIG)}"
PASSING = {
    **{
        f"{kind} at {at} of {what}": (pattern, cut(at, reset=kind == "reset"), 3)
        for kind in ("reset", "end")
        for at in (-1, 0, 1, 511, 70_000)
        for what, pattern in (("manifest", "GET .*/manifests/1"), ("config", r"GET .*/blobs/"), ("layer", BLOB))
        if at < 500 or what == "layer"
    },
    "stall": (BLOB, stalled, 2),
    "drip": (BLOB, dripping, 1),
    "wrong bytes": (BLOB, wrong_bytes, 1),
    "ignored range": (BLOB, other_range, 1),
    "429 with seconds": ("GET .*/manifests/1", status(429, Retry_After="0"), 3),
    "429 with a date": ("GET .*/manifests/1", status(429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"), 1),
    "503 of a layer": (BLOB, status(503, Retry_After="0"), 3),
    "500 of a layer": (BLOB, status(500), 2),
}


@pytest.mark.parametrize("name", PASSING)
async def test_what_passes_is_overcome(place: Place, name: str) -> None:
    pattern, answer, times = PASSING[name]
    place.registry.add("1", LAYERS)
    place.registry.fault = once(pattern, answer, times)(place.registry)
    events = await place.pull()
    assert events[-1] == Note(f"Status: Downloaded newer image for {place.registry.name}/x/y:1")
    (image,) = place.world.images.list()
    assert await place.world.store.is_whole(image.id)
    for layer in LAYERS:
        assert place.world.content.read_bytes(Digest.of(layer), 1 << 30) == layer


async def test_a_broken_layer_goes_on_where_it_stopped(place: Place) -> None:
    place.registry.add("1", LAYERS)
    place.registry.fault = once(BLOB, cut(200_000, reset=True), 1)(place.registry)
    await place.pull()
    first, second = place.registry.requests(BLOB)
    assert "range" not in first.headers
    assert 0 < start_of(second) <= 200_000


async def test_what_has_arrived_waits_for_the_next_pull(place: Place) -> None:
    """Also in another life of the process."""
    place.registry.add("1", LAYERS)
    place.registry.fault = lambda asked, _times: (
        cut(200_000, reset=True)(place.registry, asked)
        if re.search(BLOB, f"{asked.method} {asked.path}") and "range" not in asked.headers
        else Answer(500)
        if re.search(BLOB, f"{asked.method} {asked.path}")
        else None
    )
    with pytest.raises(Unavailable):
        await place.pull()
    assert not place.world.images.list()
    await place.world.images.sweep()
    place.registry.fault = lambda _asked, _times: None
    place.registry.asked.clear()
    async with opened_again(place) as again:
        await again.pull()
        assert 0 < start_of(place.registry.requests(BLOB)[0]) <= 200_000
        assert len(place.registry.requests(f"blobs/{digest(LAYERS[0])}")) <= 1
        await again.world.images.sweep()
        assert not list((again.world.root / "content/partial").iterdir())
        assert not list((again.world.root / "content/awaited").iterdir())


@asynccontextmanager
async def opened_again(place: Place) -> AsyncIterator[Place]:
    await place.registries.close()
    async with opened(place.world.root) as world:
        made = Place(world, place.registry)
        yield made
        await made.registries.close()


def endless(registry: HostileRegistry, asked: Asked) -> Answer:
    return Answer(200, endless=True)


def padded(registry: HostileRegistry, asked: Asked) -> Answer:
    right = registry.right(asked)
    right.body += b"more"
    return right


LASTING = {
    "resets": (BLOB, cut(0, reset=True), Unavailable, "connection reset|unexpected EOF"),
    "truncated": (
        BLOB,
        lambda registry, _asked: Answer(200, registry.blobs[digest(BIG)][:100]),
        BadAnswer,
        digest(BIG),
    ),
    "padded": (BLOB, padded, BadAnswer, digest(BIG)),
    "another layer": (BLOB, lambda _registry, _asked: Answer(200, LAYERS[0]), BadAnswer, digest(BIG)),
    "wrong bytes": (BLOB, wrong_bytes, InvalidInput, digest(BIG)),
    "endless layer": (BLOB, endless, BadAnswer, digest(BIG)),
    "endless manifest": ("GET .*/manifests/", endless, BadAnswer, "larger than"),
    "endless config": ("GET .*/blobs/.*", endless, BadAnswer, "more than"),
    "manifest of 100 MB": (
        "GET .*/manifests/",
        lambda _registry, _asked: Answer(200, bytes(100 << 20)),
        BadAnswer,
        "larger than",
    ),
    "no JSON": (
        "GET .*/manifests/",
        lambda _registry, _asked: Answer(200, b"<html>"),
        InvalidInput,
        "invalid image manifest",
    ),
    "stalls": (BLOB, stalled, Unavailable, "no answer in time"),
    "429 for ever": ("GET .*/manifests/", status(429, Retry_After="0"), Unavailable, "429"),
    "redirects in a circle": (
        BLOB,
        lambda registry, asked: Answer(307, b"", {"Location": f"http://{registry.name}{asked.path}"}),
        BadAnswer,
        "more than 5 redirects",
    ),
    "redirect to a file": (
        BLOB,
        lambda _registry, _asked: Answer(307, b"", {"Location": "file:///etc/passwd"}),
        BadAnswer,
        "impossible",
    ),
    "401 for ever": ("GET .*/manifests/", status(401, WWW_Authenticate="Basic realm=x"), Forbidden, "no basic auth"),
    "404 of a layer": (BLOB, status(404), NotFound, digest(BIG)),
}


@pytest.mark.parametrize("name", LASTING)
async def test_what_lasts_is_told(place: Place, name: str) -> None:
    """In bounded time and memory, by name; and the store is as it was, but for what came right."""
    pattern, answer, kind, words = LASTING[name]
    place.registry.add("other", [tar({"z": b"before"})])
    await place.pull("x/y:other")
    before = place.files()
    place.registry.add("1", LAYERS)
    place.registry.fault = once(pattern, answer, 1000)(place.registry)
    with pytest.raises(kind, match=words) as failed:
        await place.pull()
    assert isinstance(failed.value, HavreError)
    assert len(place.registry.requests(pattern)) <= 8
    assert [image.repo_tags for image in place.world.images.list()] == [(f"{place.registry.name}/x/y:other",)]
    if not isinstance(failed.value, Unavailable):
        assert place.files() == before
    place.world.content.awaited.forget()
    await place.world.images.sweep()
    assert place.files() == before
    place.registry.fault = lambda _asked, _times: None
    await place.pull()


def bomb() -> bytes:
    return gzip.compress(tar({"zeros": bytes(80 << 20)}), 9)


SLY = {
    "path tricks": ([tar({"../../escaped": b"x"})], None, "", InvalidInput),
    "link out": ([tar({"out": Special(b"2", "/etc"), "out/escaped": b"x"})], None, "", None),
    "bomb": ([tar({"zeros": bytes(80 << 20)})], [bomb()], "+gzip", InvalidInput),
    "cut gzip": ([LAYERS[0]], [gzip.compress(LAYERS[0])[:-4]], "+gzip", InvalidInput),
    "another diff id": ([LAYERS[0]], [gzip.compress(LAYERS[2])], "+gzip", InvalidInput),
    "no archive": ([b"hello" * 200], None, "", InvalidInput),
}


@pytest.mark.parametrize("name", SLY)
async def test_layers_that_mean_harm(place: Place, name: str, tmp_path: Path) -> None:
    layers, packed, suffix, refused = SLY[name]
    place.registry.add("1", layers, packed, suffix)
    if refused is None:
        await place.pull()
    else:
        with pytest.raises(refused, match=digest((packed or layers)[0])):
            await place.pull()
        assert not place.world.images.list()
        assert not place.files()
        assert not place.world.chains()
    assert not (tmp_path / "escaped").exists()
    assert not Path("/etc/escaped").exists()


def crooked() -> dict[str, tuple[dict[str, object], type[HavreError], str]]:
    layer = {"mediaType": OCI_LAYER, "digest": digest(LAYERS[0]), "size": len(LAYERS[0])}
    made = config(LAYERS[:1])
    good = {"mediaType": OCI_CONFIG, "digest": digest(made), "size": len(made)}
    return {
        "foreign layer": (
            {
                "config": good,
                "layers": [{**layer, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}],
            },
            NotSupported,
            "foreign",
        ),
        "unknown layer": ({"config": good, "layers": [{**layer, "mediaType": "x/y"}]}, NotSupported, "x/y"),
        "a plugin": (
            {"config": {**good, "mediaType": "application/vnd.docker.plugin.v1+json"}, "layers": [layer]},
            NotSupported,
            "plugin",
        ),
        "a chart": (
            {"config": {**good, "mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []},
            NotSupported,
            "helm",
        ),
        "too many layers": ({"config": good, "layers": [layer] * 2000}, InvalidInput, "more than"),
        "layers and diff ids differ": ({"config": good, "layers": [layer, layer]}, InvalidInput, "2 layers"),
        "a digest that is none": (
            {"config": good, "layers": [{**layer, "digest": "sha256:../../x"}]},
            InvalidInput,
            "digest",
        ),
        "huge config": ({"config": {**good, "size": 1 << 30}, "layers": [layer]}, BadAnswer, "larger than"),
        "both kinds": ({"config": good, "layers": [layer], "manifests": []}, InvalidInput, "ambiguous"),
    }


@pytest.mark.parametrize("name", crooked())
async def test_manifests_that_are_none(place: Place, name: str) -> None:
    body, kind, words = crooked()[name]
    place.registry.blob(LAYERS[0], OCI_LAYER)
    place.registry.blob(config(LAYERS[:1]), OCI_CONFIG)
    place.registry.manifest("1", body)
    with pytest.raises(kind, match=words):
        await place.pull()
    assert not place.files()


async def test_an_index_that_points_to_itself(place: Place) -> None:
    name = f"sha256:{'0' * 64}"
    index = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": name, "size": 1}
    place.registry.index("1", [index])
    place.registry.manifests[name] = place.registry.manifests["1"]
    with pytest.raises(BadAnswer, match=name):
        await place.pull()


async def test_a_tag_never_moves_in_a_failed_pull(place: Place) -> None:
    place.registry.add("1", LAYERS[:1])
    await place.pull()
    (before,) = place.world.images.list()
    place.registry.add("1", LAYERS)
    place.registry.fault = once(BLOB, wrong_bytes, 1000)(place.registry)
    with pytest.raises(InvalidInput):
        await place.pull()
    assert place.world.images.find(f"{place.registry.name}/x/y:1") == before


TOKENS = Credentials("ann", "s3cret")


def with_tokens(registry: HostileRegistry, good_for: int) -> Fault:
    """Each token is good for *good_for* requests; the realm gives a new one for the password."""
    given: dict[str, int] = {}

    def fault(asked: Asked, _times: int) -> Answer | None:
        if asked.path.startswith("/token?"):
            if not asked.headers.get("authorization", "").startswith("Basic "):
                return Answer(401, b"{}")
            token = f"t{len(given)}"
            given[token] = good_for
            return Answer(200, json.dumps({"token": token, "expires_in": 300}).encode())
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if given.get(token, 0) > 0:
            given[token] -= 1
            return None
        realm = f'Bearer realm="http://{registry.name}/token",service="s",scope="repository:x/y:pull"'
        return Answer(401, b"{}", {"WWW-Authenticate": realm})

    return fault


async def test_tokens_that_expire_in_the_middle(place: Place) -> None:
    place.registry.add("1", LAYERS)
    place.registry.fault = with_tokens(place.registry, 1)
    await place.pull(who=TOKENS)
    assert len(place.registry.requests("GET /token")) >= 4


async def test_tokens_that_are_never_good(place: Place) -> None:
    place.registry.add("1", LAYERS)
    place.registry.fault = with_tokens(place.registry, 0)
    with pytest.raises(Forbidden):
        await place.pull(who=TOKENS)
    assert len(place.registry.asked) < 10


async def test_credentials_stay_with_their_registry(place: Place) -> None:
    """Neither a redirect's target, nor its 401, nor a realm elsewhere in the answer of another host gets them."""
    async with HostileRegistry().serving() as stranger:
        stranger.fault = lambda _asked, _times: Answer(
            401, b"{}", {"WWW-Authenticate": f'Basic realm=x, Bearer realm="http://{stranger.name}/token"'}
        )
        place.registry.add("1", LAYERS)
        place.registry.fault = lambda asked, _times: (
            Answer(307, b"", {"Location": f"http://{stranger.name}/x"})
            if re.search(BLOB, f"{asked.method} {asked.path}")
            else None
            if "authorization" in asked.headers or asked.path == "/v2/"
            else Answer(401, b"{}", {"WWW-Authenticate": "Basic realm=x"})
        )
        with pytest.raises(HavreError):
            await place.pull(who=TOKENS)
        assert stranger.asked
        assert not [one for one in stranger.asked if "authorization" in one.headers]


async def test_a_mirror_is_asked_first_and_as_a_stranger(place: Place, tmp_path: Path) -> None:
    async with HostileRegistry().serving() as mirror:
        mirror.add("1", LAYERS)
        place.registry.add("1", LAYERS)
        mirrors = (f"{place.registry.name}/x=http://{mirror.name}/copies",)
        settings = Settings(mirrors=mirrors, pause_s=0.01, stall_s=0.5, certificates=())
        made = Place(place.world, place.registry, settings)
        try:
            await made.pull(who=TOKENS)
            assert {one.path.split("/blobs/")[0] for one in mirror.requests("/blobs/")} == {"/v2/copies/y"}
            assert not place.registry.requests("GET .*/(blobs|manifests)/")
            mirror.fault = lambda _asked, _times: Answer(404, b"{}")
            place.registry.add("2", [tar({"n": b"new"})])
            await made.pull("x/y:2", TOKENS)
            assert not [one for one in mirror.asked if "authorization" in one.headers]
        finally:
            await made.registries.close()


async def test_two_pulls_share_what_they_download(place: Place) -> None:
    """G-04; and the end of one does not hurt the other."""
    place.registry.add("1", LAYERS)
    gate = asyncio.Event()
    right = place.registry.right

    def slow(asked: Asked, _times: int) -> Answer | None:
        if not re.search(BLOB, f"{asked.method} {asked.path}"):
            return None
        answer = right(asked)
        answer.piece, answer.pause_s = 20_000, 0.01
        gate.set()
        return answer

    place.registry.fault = slow
    first = asyncio.get_running_loop().create_task(place.pull())
    await gate.wait()
    second = asyncio.get_running_loop().create_task(place.pull())
    while len(place.registry.requests("GET .*/manifests/1")) != 2:
        await asyncio.sleep(0)
    first.cancel()
    assert (await second)[-1] == Note(f"Status: Downloaded newer image for {place.registry.name}/x/y:1")
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await place.world.store.is_whole(place.world.images.list()[0].id)


async def test_the_end_of_both_frees_all(place: Place) -> None:
    place.registry.add("1", LAYERS)
    place.registry.fault = once(BLOB, stalled, 1000)(place.registry)
    pulls = [asyncio.get_running_loop().create_task(place.pull()) for _ in range(2)]
    while not place.registry.requests(BLOB):
        await asyncio.sleep(0.01)
    for one in pulls:
        one.cancel()
    assert all(isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*pulls, return_exceptions=True))
    place.world.content.awaited.forget()
    await place.world.images.sweep()
    assert not place.files()
    place.registry.fault = lambda _asked, _times: None
    await place.pull()


async def test_an_old_manifest_is_told(place: Place) -> None:
    place.registry.manifests["1"] = ("application/vnd.docker.distribution.manifest.v1+prettyjws", b"{}")
    with pytest.raises(BadAnswer, match="schema 1"):
        await place.pull()
