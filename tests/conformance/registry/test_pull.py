"""Pull: manifests and blobs, whole, in part, by condition (distribution-spec, "Pull")."""

from __future__ import annotations

import os

import pytest

from tests.support.oci_images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, digest, image, index
from tests.support.pushing import push, push_blob
from tests.support.registries import Registry

ALL = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}"


def test_the_base_tells_that_this_is_a_registry(registry: Registry) -> None:
    answer = registry.request("GET", "/v2/")
    assert answer.status == 200
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"


@pytest.mark.parametrize("kind", ["oci", "docker"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_comes_as_it_went(registry: Registry, kind: str, by: str) -> None:
    made = push(registry, "pull/plain", image(docker=kind == "docker"), "v1")
    reference = "v1" if by == "tag" else made.digest
    got = registry.request("GET", f"/v2/pull/plain/manifests/{reference}", Accept=ALL)
    assert (got.status, got.body) == (200, made.manifest)
    assert got.header("Content-Type") == made.media_type
    assert got.header("Docker-Content-Digest") == made.digest
    head = registry.request("HEAD", f"/v2/pull/plain/manifests/{reference}", Accept=ALL)
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == str(len(made.manifest))
    assert head.header("Docker-Content-Digest") == made.digest


def test_a_manifest_is_given_to_a_client_that_says_nothing_of_types(registry: Registry) -> None:
    made = push(registry, "pull/any", image(), "v1")
    assert registry.request("GET", "/v2/pull/any/manifests/v1").body == made.manifest


def test_head_needs_no_accept_header(registry: Registry) -> None:
    made = push(registry, "pull/any", image(), "v2")
    assert registry.request("HEAD", "/v2/pull/any/manifests/v2").header("Docker-Content-Digest") == made.digest


def test_a_client_that_takes_another_type_gets_none(registry: Registry) -> None:
    push(registry, "pull/types", image(), "v1")
    answer = registry.request("GET", "/v2/pull/types/manifests/v1", Accept=DOCKER_MANIFEST)
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


def test_a_client_that_knows_no_list_gets_the_image_of_amd64(registry: Registry) -> None:
    images = [push(registry, "pull/list", image(docker=True)) for _ in range(2)]
    push(registry, "pull/list", index(*images, docker=True), "v1")
    answer = registry.request("GET", "/v2/pull/list/manifests/v1", Accept=DOCKER_MANIFEST)
    assert (answer.status, answer.body) == (200, images[0].manifest)
    whole = registry.request("GET", "/v2/pull/list/manifests/v1", Accept=ALL)
    assert whole.header("Content-Type") == DOCKER_LIST


@pytest.mark.parametrize("reference", ["absent", ".INVALID_MANIFEST_NAME", digest(b"absent")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_there_is_unknown(registry: Registry, reference: str, method: str) -> None:
    push(registry, "pull/absent", image(), "v1")
    assert registry.request(method, f"/v2/pull/absent/manifests/{reference}", Accept=ALL).status == 404


def test_unknown_blobs_and_manifests_have_their_codes(registry: Registry) -> None:
    push(registry, "pull/absent", image(), "v1")
    blob = registry.request("GET", f"/v2/pull/absent/blobs/{digest(b'absent')}")
    assert (blob.status, blob.code) == (404, "BLOB_UNKNOWN")
    manifest = registry.request("GET", "/v2/pull/absent/manifests/absent", Accept=ALL)
    assert (manifest.status, manifest.code) == (404, "MANIFEST_UNKNOWN")


def test_an_unchanged_manifest_is_not_sent_again(registry: Registry) -> None:
    made = push(registry, "pull/condition", image(), "v1")
    path = "/v2/pull/condition/manifests/v1"
    first = registry.request("GET", path, Accept=ALL)
    assert first.header("ETag").strip('"') == made.digest
    again = registry.request("GET", path, Accept=ALL, If_None_Match=first.header("ETag"))
    assert (again.status, again.body) == (304, b"")
    assert registry.request("GET", path, Accept=ALL, If_None_Match='"other"').status == 200


def test_an_unchanged_manifest_is_not_sent_again_whatever_the_form_of_the_tag(registry: Registry) -> None:
    made = push(registry, "pull/condition", image(), "v1")
    path = "/v2/pull/condition/manifests/v1"
    assert registry.request("GET", path, Accept=ALL, If_None_Match=f'"x", W/"{made.digest}"').status == 304
    assert registry.request("GET", path, Accept=ALL, If_None_Match="*").status == 304


def test_a_blob_comes_as_it_went(registry: Registry) -> None:
    data = os.urandom(3_000_000)
    push_blob(registry, "pull/blob", data)
    path = f"/v2/pull/blob/blobs/{digest(data)}"
    got = registry.request("GET", path)
    assert (got.status, got.body) == (200, data)
    assert got.header("Docker-Content-Digest") == digest(data)
    assert got.header("Docker-Distribution-Api-Version") == "registry/2.0"
    head = registry.request("HEAD", path)
    assert (head.status, head.header("Content-Length")) == (200, str(len(data)))
    assert registry.request("GET", path, If_None_Match=got.header("ETag")).status == 304


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-99", 10, 99),
        ("bytes=900-", 900, 999),
        ("bytes=-5", 995, 999),
        ("bytes=990-2000", 990, 999),
    ],
)
def test_a_part_of_a_blob(registry: Registry, wanted: str, first: int, last: int) -> None:
    data = os.urandom(1000)
    push_blob(registry, "pull/range", data)
    answer = registry.request("GET", f"/v2/pull/range/blobs/{digest(data)}", Range=wanted)
    assert (answer.status, answer.body) == (206, data[first : last + 1])
    assert answer.header("Content-Range") == f"bytes {first}-{last}/1000"


def test_a_range_that_lies_outside_is_refused_with_the_size(registry: Registry) -> None:
    push_blob(registry, "pull/range", b"0123456789")
    answer = registry.request("GET", f"/v2/pull/range/blobs/{digest(b'0123456789')}", Range="bytes=10-")
    assert (answer.status, answer.header("Content-Range")) == (416, "bytes */10")
    assert answer.code == "RANGE_INVALID"


def test_an_empty_blob(registry: Registry) -> None:
    push_blob(registry, "pull/empty", b"")
    answer = registry.request("GET", f"/v2/pull/empty/blobs/{digest(b'')}")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", ["/v2/UPPER/manifests/v1", "/v2/a..b/tags/list", "/v2/-a/manifests/v1"])
def test_an_invalid_name_is_refused(registry: Registry, path: str) -> None:
    answer = registry.request("GET", path)
    assert (answer.status, answer.code) == (400, "NAME_INVALID")


def test_an_invalid_digest_is_refused(registry: Registry) -> None:
    answer = registry.request("GET", "/v2/pull/blob/blobs/sha256:abc")
    assert answer.status in (400, 404)
