"""Pushes, pulls, deletions and collection at the same time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from tests.root.registry.conftest import Serve
from tests.root.registry.test_killed import assert_store_is_sound, pull_and_verify
from tests.support.oci_images import Image, digest, image
from tests.support.pushing import push, push_blob, push_manifest
from tests.support.registries import Registry, ask

KEEN = {"storage": {"maintenance": {"garbagecollection": {"interval": "20ms", "grace": "3s"}}}}
RUSHED = {"storage": {"maintenance": {"garbagecollection": {"interval": "10ms", "grace": "0s"}}}}


def test_collection_takes_nothing_that_a_push_counts_on(serve: Serve) -> None:
    registry = serve(config=KEEN)
    shared = os.urandom(20_000)

    def work(number: int) -> list[tuple[str, Image]]:
        kept, name = [], f"race/{number % 2}"  # several clients in one repository, with layers in common
        for turn in range(12):
            made = image(2, 5_000)
            for data in made.blobs:
                push_blob(registry, name, data)
            if registry.request("HEAD", f"/v2/{name}/blobs/{digest(shared)}").status != 200:
                push_blob(registry, name, shared)
            answer = push_manifest(registry, name, made)
            assert answer.status == 201, answer.body
            if turn % 3:
                assert registry.request("DELETE", f"/v2/{name}/manifests/{made.digest}").status == 202
            else:
                kept.append((name, made))
        return kept

    with ThreadPoolExecutor(6) as pool:
        kept = [each for done in pool.map(work, range(6)) for each in done]
    for name, made in kept:
        pull_and_verify(registry, name, made)
    registry.stop()
    assert_store_is_sound(registry)


def test_what_nobody_needs_goes(serve: Serve) -> None:
    registry = serve(config=RUSHED)
    made = push_to_the_end(registry, "gone/one")
    kept = push_to_the_end(registry, "kept/one")
    assert registry.request("DELETE", f"/v2/gone/one/manifests/{made.digest}").status == 202
    folder = registry.root / "content" / "blobs" / "sha256"
    gone = {digest(data).partition(":")[2] for data in (made.manifest, *made.blobs)}
    deadline = threading.Event()
    for _ in range(1500):
        if not gone & {path.name for path in folder.iterdir()}:
            break
        deadline.wait(0.01)
    assert not gone & {path.name for path in folder.iterdir()}
    pull_and_verify(registry, "kept/one", kept)
    answer = registry.request("GET", "/v2/gone/one/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def push_to_the_end(registry: Registry, name: str) -> Image:
    """With no grace at all a blob may go before its manifest comes: then, as clients do, once more."""
    made = image(1, 1000)
    for _ in range(200):
        for data in made.blobs:
            push_blob(registry, name, data)
        answer = push_manifest(registry, name, made, "v1")
        if answer.status == 201:
            return made
        assert answer.code == "MANIFEST_BLOB_UNKNOWN"
    raise AssertionError("never pushed")


def test_a_pull_is_whole_or_refused_while_its_blob_is_deleted(serve: Serve) -> None:
    registry = serve(config=RUSHED)
    data = os.urandom(3_000_000)
    path = f"/v2/race/blobs/{digest(data)}"
    over = threading.Event()

    def pull() -> tuple[int, int]:
        whole = refused = 0
        while not over.is_set():
            answer = registry.request("GET", path)
            assert answer.status in (200, 404)
            if answer.status == 200:
                assert answer.body == data
                whole += 1
            else:
                refused += 1
        return whole, refused

    with ThreadPoolExecutor(3) as pool:
        pulls = [pool.submit(pull) for _ in range(3)]
        for _ in range(25):
            push_blob(registry, "race", data)
            registry.request("GET", path)
            registry.request("DELETE", path)
        over.set()
        counts = [each.result() for each in pulls]
    assert sum(whole for whole, _ in counts) > 0
    assert "failed" not in registry.tail()


def test_more_uploads_than_are_kept_open(serve: Serve) -> None:
    """The oldest go back to the disk, and go on where they were."""
    registry = serve()
    with closing(registry.connect()) as connection:
        places = [ask(connection, "POST", "/v2/many/blobs/uploads/").header("Location") for _ in range(600)]
        for number, place in enumerate(places):
            assert ask(connection, "PATCH", place, b"first %d" % number).status == 202
        assert registry.process is not None
        assert len(os.listdir(f"/proc/{registry.process.pid}/fd")) < 560
        for number, place in enumerate(places):
            data = b"first %d, last" % number
            assert ask(connection, "PUT", f"{place}?digest={digest(data)}", b", last").status == 201
    assert os.listdir(registry.root / "content" / "drafts") == []


def test_many_clients_push_the_same_image(serve: Serve) -> None:
    registry = serve()
    made = image(3, 200_000)
    with ThreadPoolExecutor(8) as pool:
        for done in pool.map(lambda number: push(registry, f"same/{number % 3}", made, f"v{number}"), range(16)):
            assert done is made
    for number in range(3):
        pull_and_verify(registry, f"same/{number}", made)
    registry.stop()
    assert_store_is_sound(registry)
    assert len(list((registry.root / "content" / "blobs" / "sha256").iterdir())) == 5
