"""kill -9 at any moment: what was acknowledged is there, what was not leaves nothing, and pushes go on."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.root.registry.conftest import Serve
from tests.support.oci_images import Image, digest, image
from tests.support.pushing import push, push_blob
from tests.support.registries import Registry, ask

BYTES = "application/octet-stream"
BROKEN = (OSError, http.client.HTTPException, AssertionError)


def assert_store_is_sound(registry: Registry) -> None:
    """Every blob is what its name says, nothing is half-staged, and the records name only what is there."""
    content = registry.root / "content"
    stored = set()
    for path in (content / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        stored.add(f"sha256:{path.name}")
    assert list((content / "ingest").iterdir()) == []
    with closing(sqlite3.connect(registry.root / "registry.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        named = {row[0] for row in database.execute("SELECT digest FROM blobs UNION SELECT digest FROM manifests")}
    assert named <= stored


def pull_and_verify(registry: Registry, name: str, made: Image) -> None:
    got = registry.request("GET", f"/v2/{name}/manifests/{made.digest}")
    assert got.body == made.manifest
    for data in made.blobs:
        assert registry.request("GET", f"/v2/{name}/blobs/{digest(data)}").body == data


def push_until_broken(registry: Registry, name: str, dead: threading.Event) -> list[tuple[str, Image]]:
    """Pushes image after image; gives those whose manifest was acknowledged."""
    done = []
    while not dead.is_set():
        made = image(2, 30_000)
        try:
            push(registry, name, made)
        except BROKEN:
            break
        done.append((name, made))
    return done


@pytest.mark.parametrize("round_", range(5))
def test_nothing_acknowledged_is_lost(serve: Serve, round_: int) -> None:
    registry = serve()
    dead = threading.Event()
    dice = random.Random(round_)
    with ThreadPoolExecutor(6) as pool:
        pushes = [pool.submit(push_until_broken, registry, f"push/{number}", dead) for number in range(6)]
        dead.wait(0.2 + dice.random())
        registry.kill()
        dead.set()
        acknowledged = [each for done in pushes for each in done.result()]
    assert acknowledged
    registry.start()
    for name, made in acknowledged:
        pull_and_verify(registry, name, made)
    push(registry, "push/after", image(), "v1")
    registry.stop()
    assert_store_is_sound(registry)


def test_an_upload_goes_on_where_it_was(serve: Serve) -> None:
    registry = serve()
    data = os.urandom(3_000_000)
    place = registry.request("POST", "/v2/a/b/blobs/uploads/").header("Location")
    first = registry.request("PATCH", place, data[:1_500_000], Content_Type=BYTES)
    assert first.header("Range") == "0-1499999"
    registry.kill()
    registry.start()
    status = registry.request("GET", place)
    assert (status.status, status.header("Range")) == (204, "0-1499999")
    rest = registry.request(
        "PUT", f"{place}?digest={digest(data)}", data[1_500_000:], Content_Type=BYTES, Content_Range="1500000-2999999"
    )
    assert rest.status == 201
    assert registry.request("GET", rest.header("Location")).body == data


def test_what_arrived_before_a_connection_broke_is_kept(serve: Serve) -> None:
    registry = serve()
    data = os.urandom(4_000_000)
    place = registry.request("POST", "/v2/a/b/blobs/uploads/").header("Location")
    connection = registry.connect()
    connection.putrequest("PATCH", place)
    connection.putheader("Content-Length", str(len(data)))
    connection.endheaders()
    connection.send(data[:3_000_000])
    connection.close()
    with closing(registry.connect()) as other:
        arrived = int(ask(other, "GET", place).header("Range").partition("-")[2]) + 1
        # A request that follows waits for the end of the broken one, so its answer is the truth.
        probe = ask(other, "PATCH", place, b"x", Content_Type=BYTES, Content_Range="9000000-9000000")
        assert probe.status == 416
        arrived = int(probe.header("Range").partition("-")[2]) + 1
    assert 0 < arrived <= 3_000_000
    done = registry.request("PUT", f"{place}?digest={digest(data)}", data[arrived:], Content_Type=BYTES)
    assert done.status == 201
    assert "level=error" not in registry.log.read_text()


def test_a_client_that_leaves_in_mid_pull_is_no_error(serve: Serve) -> None:
    registry = serve()
    data = os.urandom(20_000_000)
    push_blob(registry, "a/b", data)
    for _ in range(3):
        connection = registry.connect()
        connection.request("GET", f"/v2/a/b/blobs/{digest(data)}")
        assert len(connection.getresponse().read(1000)) == 1000
        connection.close()
    assert registry.request("GET", f"/v2/a/b/blobs/{digest(data)}").body == data
    assert "level=error" not in registry.log.read_text()


def test_two_registries_never_share_a_folder(serve: Serve) -> None:
    first = serve()
    second = type(first)(first.folder)
    second.port = 0
    with pytest.raises(AssertionError, match="in use by another registry"):
        second.start()
