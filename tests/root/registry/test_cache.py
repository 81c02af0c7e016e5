"""The pull-through cache: of our registry and of Debian's, over a line that breaks, and with nobody at its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.root.registry.conftest import Serve
from tests.root.registry.test_access import ALICE, USERS
from tests.support import faults
from tests.support.oci_images import OCI_MANIFEST, Image, digest, image, index
from tests.support.pushing import push
from tests.support.registries import DockerRegistry, HavreRegistry, Registry, htpasswd, running


@pytest.fixture(params=["havre", "docker-registry"])
def upstream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """A registry that wants credentials: by token ours, by password the other."""
    auth: dict[str, Any] = {"htpasswd": {"path": str(htpasswd(tmp_path / "users", USERS)), "realm": "r"}}
    if request.param == "havre":
        auth["tokenservice"] = {}
    kind = HavreRegistry if request.param == "havre" else DockerRegistry
    with running(kind(tmp_path / "upstream", {"auth": auth})) as registry:
        yield registry


def proxy(url: str) -> dict[str, Any]:
    return {"proxy": {"remoteurl": url, "username": "alice", "password": USERS["alice"]}}


def assert_pulls(registry: Registry, name: str, made: Image, tag: str = "v1") -> None:
    got = registry.request("GET", f"/v2/{name}/manifests/{tag}", Accept=made.media_type)
    assert (got.status, got.body) == (200, made.manifest)
    for data in made.blobs:
        path = f"/v2/{name}/blobs/{digest(data)}"
        assert registry.request("HEAD", path).header("Content-Length") == str(len(data))
        assert registry.request("GET", path).body == data


def test_it_serves_what_the_upstream_has_and_then_without_it(serve: Serve, upstream: Registry) -> None:
    first = push(upstream, "team/app", image(2, 2_000_000), "v1", Authorization=ALICE)
    cache = serve("cache", proxy(f"http://{upstream.domain}"))
    assert_pulls(cache, "team/app", first)
    second = push(upstream, "team/app", image(), "v1", Authorization=ALICE)
    assert_pulls(cache, "team/app", second)
    push(upstream, "team/app", second, "v2", "v3", Authorization=ALICE)
    assert cache.request("GET", "/v2/team/app/tags/list?n=2").json["tags"] == ["v1", "v2"]
    upstream.kill()
    assert_pulls(cache, "team/app", second)
    assert cache.request("GET", "/v2/team/app/tags/list").json["tags"] == ["v1"]
    by_digest = cache.request("GET", f"/v2/team/app/manifests/{first.digest}", Accept=OCI_MANIFEST)
    assert by_digest.body == first.manifest
    gone = cache.request("GET", "/v2/team/app/manifests/other", Accept=OCI_MANIFEST)
    assert (gone.status, gone.code) == (502, "UNAVAILABLE")
    message = gone.json["errors"][0]["message"]
    assert f"upstream registry http://{upstream.domain}" in message
    assert "connection refused" in message
    for secret in USERS.values():
        assert secret not in cache.tail()


def test_what_the_upstream_does_not_have(serve: Serve, upstream: Registry) -> None:
    push(upstream, "team/app", image(), "v1", Authorization=ALICE)
    cache = serve("cache", proxy(f"http://{upstream.domain}"))
    for path, code in (
        ("/v2/team/app/manifests/absent", "MANIFEST_UNKNOWN"),
        (f"/v2/team/app/blobs/{digest(b'absent')}", "BLOB_UNKNOWN"),
    ):
        answer = cache.request("GET", path, Accept=OCI_MANIFEST)
        assert (answer.status, answer.code) == (404, code)


def test_credentials_that_are_refused(serve: Serve, upstream: Registry) -> None:
    push(upstream, "team/app", image(), "v1", Authorization=ALICE)
    settings = proxy(f"http://{upstream.domain}")
    settings["proxy"].pop("username")
    answer = serve("cache", settings).request("GET", "/v2/team/app/manifests/v1")
    assert (answer.status, answer.code) == (403, "DENIED")


def test_nobody_pushes_to_a_cache(serve: Serve, upstream: Registry) -> None:
    answer = serve("cache", proxy(f"http://{upstream.domain}")).request("POST", "/v2/a/b/blobs/uploads/")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


FAULTS: dict[str, list[tuple[str, faults.Fault]]] = {
    "reset at the manifest": [("GET /v2/app/manifests", faults.reset)],
    "busy": [("manifests", faults.status(503, Retry_After="1")), ("/blobs/", faults.status(429))],
    "cut at the first byte": [("GET /v2/app/blobs", faults.cut(0))],
    "cut in the middle": [("GET /v2/app/blobs", faults.cut(1_300_000))],
    "cut twice, and the range ignored": [
        ("GET /v2/app/blobs", faults.cut(1_300_000)),
        ("GET /v2/app/blobs", faults.whole),
    ],
    "cut before the last byte": [("GET /v2/app/blobs", faults.cut(2_000_400))],
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_line_that_breaks(serve: Serve, name: str) -> None:
    upstream = serve("upstream")
    made = push(upstream, "app", image(1, 2_000_000), "v1")
    with faults.between("127.0.0.1", upstream.port, *FAULTS[name]) as (url, handler):
        cache = serve("cache", {"proxy": {"remoteurl": url}})
        assert_pulls(cache, "app", made)
        assert handler.faults == []
        fetched = [line for line in handler.seen if line.startswith("GET") and "/blobs/" in line]
        assert len(fetched) <= 2 + len(FAULTS[name])


@pytest.mark.parametrize("fault", [faults.wrong, faults.longer])
def test_wrong_bytes_are_never_handed_out_whole(serve: Serve, fault: faults.Fault) -> None:
    upstream = serve("upstream")
    made = push(upstream, "app", image(1, 2_000_000), "v1")
    layer = made.blobs[1]
    with faults.between("127.0.0.1", upstream.port, (f"GET /v2/app/blobs/{digest(layer)}", fault)) as (url, _):
        cache = serve("cache", {"proxy": {"remoteurl": url}})
        try:
            broken = cache.request("GET", f"/v2/app/blobs/{digest(layer)}")
            assert broken.status != 200
        except Exception as error:  # noqa: BLE001  a body that breaks off, in whatever words
            assert "IncompleteRead" in repr(error) or "reset" in str(error)
        assert not (cache.root / "content/blobs/sha256" / digest(layer).partition(":")[2]).exists()
        assert_pulls(cache, "app", made)


def test_a_manifest_of_wrong_bytes_is_refused(serve: Serve) -> None:
    upstream = serve("upstream")
    push(upstream, "app", image(), "v1")
    with faults.between("127.0.0.1", upstream.port, ("GET /v2/app/manifests", faults.wrong)) as (url, _):
        answer = serve("cache", {"proxy": {"remoteurl": url}}).request("GET", "/v2/app/manifests/v1")
        assert (answer.status, answer.code) == (502, "UNAVAILABLE")


def test_many_clients_share_one_download(serve: Serve) -> None:
    upstream = serve("upstream")
    made = push(upstream, "app", image(1, 3_000_000), "v1")
    layer = digest(made.blobs[1])
    with faults.between("127.0.0.1", upstream.port) as (url, handler):
        cache = serve("cache", {"proxy": {"remoteurl": url}})
        together = threading.Barrier(6)

        def pull(_: int) -> bytes:
            together.wait()
            return cache.request("GET", f"/v2/app/blobs/{layer}").body

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(pull, range(6))) == {made.blobs[1]}
        assert sum(line.startswith("GET") and layer in line for line in handler.seen) == 1


def test_an_index_and_one_of_its_images(serve: Serve) -> None:
    upstream = serve("upstream")
    images = [push(upstream, "app", image()) for _ in range(2)]
    both = push(upstream, "app", index(*images), "v1")
    cache = serve("cache", {"proxy": {"remoteurl": f"http://{upstream.domain}"}})
    got = cache.request("GET", "/v2/app/manifests/v1")
    assert got.body == both.manifest
    assert_pulls(cache, "app", images[0], images[0].digest)
    assert cache.request("GET", "/v2/app/manifests/v1", Accept=OCI_MANIFEST).body == images[0].manifest


def test_a_download_goes_on_after_a_kill(serve: Serve) -> None:
    upstream = serve("upstream")
    made = push(upstream, "app", image(1, 4_000_000), "v1")
    layer = made.blobs[1]
    path = f"/v2/app/blobs/{digest(layer)}"
    held = threading.Event()

    def stall(handler: faults.Between, body: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:2_500_000])
        handler.wfile.flush()
        held.wait(20)
        return True

    with faults.between("127.0.0.1", upstream.port, (f"GET {path}", stall)) as (url, handler):
        cache = serve("cache", {"proxy": {"remoteurl": url}})
        part = cache.request("GET", path, Range="bytes=0-1000000")
        assert (part.status, part.body) == (206, layer[:1_000_001])
        cache.kill()
        held.set()
        cache.start()
        assert cache.request("GET", path).body == layer
        assert handler.seen[-1] == f"GET {path}"
    assert os.listdir(cache.root / "content" / "drafts") == []
