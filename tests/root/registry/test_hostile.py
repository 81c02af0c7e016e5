"""Requests that mean harm: each is refused, leaves nothing, and the next client is served."""

from __future__ import annotations

import gzip
import os
import socket
import time
from pathlib import Path

import pytest

from tests.root.registry.conftest import Serve
from tests.root.registry.test_killed import assert_store_is_sound
from tests.support.oci_images import OCI_MANIFEST, digest, image
from tests.support.pushing import push, push_blob
from tests.support.registries import HavreRegistry, Registry


def raw(registry: Registry, request: bytes) -> bytes:
    """Send *request* as it is; the head of the answer."""
    with socket.create_connection((registry.address, registry.port), 20) as sock:
        sock.sendall(request)
        found = b""
        while b"\r\n\r\n" not in found and (piece := sock.recv(65536)):
            found += piece
        return found


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


PATHS = [
    "/v2/../../../../etc/passwd", "/v2/a/blobs/../../../etc/passwd", "/v2/a/blobs/sha256:../../../registry.db",
    "/v2/a/blobs/sha256:%2e%2e%2f%2e%2e%2fregistry.db", "/v2/%2e%2e/%2e%2e/manifests/v1", "/v2/a/manifests/..%2f..%2fx",
    "/v2/a/manifests/%00", "/v2/a%0d%0aX: y/manifests/v1", "/v2/a/blobs/uploads/../../../token-key.pem", "//etc/passwd",
    "/v2/a/../b/tags/list", "/v2/a/blobs/uploads/%2e%2e%2f%2e%2e%2fregistry.db", "/v2/" + "a/" * 3000 + "tags/list",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_paths_that_lead_elsewhere(serve: Serve, method: str) -> None:
    registry = serve()
    before = everything(registry.folder)
    for path in PATHS:
        answer = raw(registry, f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
        status = int(answer.split(b" ", 2)[1])
        assert 400 <= status < 500, (path, answer[:200])
        assert b"root:" not in answer
    assert everything(registry.folder) - before <= {"root/registry.db-wal", "root/registry.db-shm"}
    assert registry.request("GET", "/v2/").status == 200


FRAMES = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length that is none": b"Content-Length: +5\r\n\r\nhello",
    "a chunk that is none": b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "a header without end": b"X: " + b"a" * 100_000,
    "a folded header": b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "many headers": b"".join(b"X-%d: a\r\n" % number for number in range(1000)) + b"\r\n",
}


@pytest.mark.parametrize("name", list(FRAMES))
def test_frames_that_are_none(serve: Serve, name: str) -> None:
    registry = serve()
    place = registry.request("POST", "/v2/a/blobs/uploads/").header("Location")
    answer = raw(registry, f"PATCH {place} HTTP/1.1\r\nHost: a\r\n".encode() + FRAMES[name])
    assert b" 202 " not in answer.split(b"\r\n", 1)[0]
    status = registry.request("GET", place)
    assert (status.status, status.header("Range")) == (204, "0-0")
    assert "level=error" not in registry.tail()


def test_an_encoded_body_is_not_unpacked(serve: Serve) -> None:
    registry = serve()
    bomb = gzip.compress(b"\0" * (20 << 20))
    place = registry.request("POST", "/v2/a/blobs/uploads/").header("Location")
    headers = {"Content_Encoding": "gzip", "Content_Type": "application/octet-stream"}
    assert registry.request("PUT", f"{place}?digest={digest(bomb)}", bomb, **headers).status == 201
    assert registry.request("GET", f"/v2/a/blobs/{digest(bomb)}").body == bomb


def test_a_manifest_without_end_is_cut_off(serve: Serve) -> None:
    registry = serve()

    head = f"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: {OCI_MANIFEST}\r\nTransfer-Encoding: chunked"
    chunks = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert raw(registry, head.encode() + b"\r\n\r\n" + chunks * 65).split(b" ", 2)[1] == b"413"
    head = head.replace("Transfer-Encoding: chunked", "Content-Length: 999999999999")
    assert raw(registry, head.encode() + b"\r\n\r\n").split(b" ", 2)[1] == b"413"
    assert registry.request("GET", "/v2/").status == 200


def test_made_up_methods_make_no_metrics(serve: Serve) -> None:
    registry = serve()
    for number in range(20):
        answer = raw(registry, f"METHOD{number} /v2/a/tags/list HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert answer.split(b" ", 2)[1] in (b"400", b"405")
    assert b"METHOD" not in registry.request("GET", "/metrics").body


def test_a_body_that_is_held_back_is_asked_for_only_when_it_is_wanted(serve: Serve) -> None:
    registry = serve(config={"storage": {"maxblobsize": 100}})
    place = registry.request("POST", "/v2/a/blobs/uploads/").header("Location")
    head = "HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    assert raw(registry, f"PATCH {place} {head}".encode()).startswith(b"HTTP/1.1 100 ")
    assert raw(registry, f"PATCH /v2/A/manifests/v1 {head}".encode()).startswith(b"HTTP/1.1 400 ")
    assert raw(registry, f"PUT /v2/a/tags/list {head}".encode()).startswith(b"HTTP/1.1 405 ")


def test_a_blob_larger_than_allowed(serve: Serve) -> None:
    registry = serve(config={"storage": {"maxblobsize": 100_000}})
    push_blob(registry, "a", os.urandom(100_000))
    data = os.urandom(100_001)
    answer = registry.request("POST", f"/v2/a/blobs/uploads/?digest={digest(data)}", data)
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")
    registry.stop()
    assert os.listdir(registry.root / "content" / "drafts") == []
    assert_store_is_sound(registry)


def test_ids_of_uploads_cannot_be_guessed(serve: Serve) -> None:
    registry = serve()
    found = {registry.request("POST", "/v2/a/blobs/uploads/").header("Docker-Upload-UUID") for _ in range(50)}
    assert len(found) == 50
    assert all(len(each) == 64 for each in found)
    assert registry.request("GET", f"/v2/a/blobs/uploads/{'0' * 64}").status == 404


def test_a_full_disk_is_told_and_left_clean(tmp_path: Path) -> None:
    import subprocess

    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=True)
    registry = HavreRegistry(tmp_path / "one", {"storage": {"filesystem": {"rootdirectory": str(folder)}}})
    try:
        registry.start()
        made = push(registry, "a/b", image(1, 1000), "v1")
        data = os.urandom(9 << 20)
        answer = registry.request("POST", f"/v2/a/b/blobs/uploads/?digest={digest(data)}", data)
        assert answer.status == 507
        assert "No space left on device" in answer.json["errors"][0]["message"]
        assert registry.request("GET", f"/v2/a/b/manifests/{made.digest}").body == made.manifest
        push(registry, "a/b", image(1, 1000), "v2")
        assert registry.request("DELETE", "/v2/a/b/manifests/v1").status == 202
        assert os.listdir(folder / "content" / "drafts") == []
    finally:
        registry.stop()
        subprocess.run(["umount", str(folder)], check=True)


def test_a_damaged_blob_is_found_and_healed_by_the_next_push(serve: Serve) -> None:
    registry = serve(config={"storage": {"maintenance": {"scrubbing": {"interval": "100ms"}}}})
    made, kept = push(registry, "a/b", image(1, 300_000), "v1"), push(registry, "a/b", image(1, 300_000), "v2")
    layer = digest(made.blobs[1])
    path = registry.root / "content/blobs/sha256" / layer.partition(":")[2]
    with path.open("r+b") as file:
        file.seek(100_000)
        file.write(b"damaged")
    deadline = time.monotonic() + 30
    while registry.request("HEAD", f"/v2/a/b/blobs/{layer}").status != 404 or "is damaged" not in registry.tail():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert registry.request("GET", f"/v2/a/b/blobs/{digest(kept.blobs[1])}").body == kept.blobs[1]
    push(registry, "a/b", made, "v1")
    assert registry.request("GET", f"/v2/a/b/blobs/{layer}").body == made.blobs[1]


def test_a_damaged_manifest_is_not_served(serve: Serve) -> None:
    registry = serve()
    made = push(registry, "a/b", image(), "v1")
    path = registry.root / "content/blobs/sha256" / made.digest.partition(":")[2]
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    assert registry.request("GET", "/v2/a/b/manifests/v1").status == 500
    push(registry, "a/b", made, "v1")
    assert registry.request("GET", "/v2/a/b/manifests/v1").body == made.manifest
