"""Push: blobs whole, in chunks, by mounting; manifests that are checked (distribution-spec, "Push")."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.support.oci_images import OCI_MANIFEST, Image, artifact, descriptor, digest, image, index
from tests.support.pushing import push, push_blob, push_manifest
from tests.support.registries import Registry

BYTES = "application/octet-stream"


def started(registry: Registry, name: str) -> str:
    answer = registry.request("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status == 202
    assert answer.header("Docker-Upload-UUID")
    return answer.header("Location")


def final(place: str, data: bytes, algorithm: str = "sha256") -> str:
    return f"{place}{'&' if '?' in place else '?'}digest={digest(data, algorithm)}"


def blob(registry: Registry, name: str, data: bytes) -> bytes:
    answer = registry.request("GET", f"/v2/{name}/blobs/{digest(data)}")
    assert answer.status == 200
    return answer.body


def test_two_requests_push_a_blob(registry: Registry) -> None:
    data = os.urandom(100_000)
    done = push_blob(registry, "push/two", data)
    assert done.header("Docker-Content-Digest") == digest(data)
    assert registry.request("GET", done.header("Location")).body == data


def test_one_request_pushes_a_blob(registry: Registry) -> None:
    data = os.urandom(100_000)
    done = registry.request("POST", f"/v2/push/one/blobs/uploads/?digest={digest(data)}", data, Content_Type=BYTES)
    assert done.status == 201
    assert registry.request("GET", done.header("Location")).body == data


def test_one_request_with_wrong_bytes_pushes_nothing(registry: Registry) -> None:
    data = os.urandom(1000)
    done = registry.request("POST", f"/v2/push/one/blobs/uploads/?digest={digest(data)}", b"other", Content_Type=BYTES)
    assert (done.status, done.code) == (400, "DIGEST_INVALID")
    assert registry.request("HEAD", f"/v2/push/one/blobs/{digest(data)}").status == 404


def test_a_stream_of_unknown_length(registry: Registry) -> None:
    pieces = [os.urandom(70_000) for _ in range(20)]
    data = b"".join(pieces)

    def stream() -> Iterator[bytes]:
        yield from pieces

    answer = registry.request("PATCH", started(registry, "push/stream"), stream(), Content_Type=BYTES)
    assert (answer.status, answer.header("Range")) == (202, f"0-{len(data) - 1}")
    assert registry.request("PUT", final(answer.header("Location"), data)).status == 201
    assert blob(registry, "push/stream", data) == data


def test_chunks_one_after_the_other(registry: Registry) -> None:
    data = os.urandom(3000)
    place = started(registry, "push/chunks")
    for first in (0, 1000):
        answer = registry.request(
            "PATCH", place, data[first : first + 1000], Content_Type=BYTES, Content_Range=f"{first}-{first + 999}"
        )
        assert (answer.status, answer.header("Range")) == (202, f"0-{first + 999}")
        place = answer.header("Location")
    done = registry.request("PUT", final(place, data), data[2000:], Content_Type=BYTES, Content_Range="2000-2999")
    assert done.status == 201
    assert blob(registry, "push/chunks", data) == data


def test_a_chunk_out_of_order_is_refused_and_says_where_to_go_on(registry: Registry) -> None:
    data = os.urandom(2000)
    place = started(registry, "push/order")
    early = registry.request("PATCH", place, data[1000:], Content_Type=BYTES, Content_Range="1000-1999")
    assert early.status == 416
    assert (early.header("Range"), bool(early.header("Location"))) == ("0-0", True)
    first = registry.request("PATCH", early.header("Location"), data[:1000], Content_Type=BYTES, Content_Range="0-999")
    again = registry.request("PATCH", first.header("Location"), data[:1000], Content_Type=BYTES, Content_Range="0-999")
    assert (again.status, again.header("Range")) == (416, "0-999")
    second = registry.request(
        "PATCH", again.header("Location"), data[1000:], Content_Type=BYTES, Content_Range="1000-1999"
    )
    assert registry.request("PUT", final(second.header("Location"), data)).status == 201


def test_a_chunk_must_be_as_long_as_it_says(registry: Registry) -> None:
    answer = registry.request(
        "PATCH", started(registry, "push/long"), b"12345", Content_Type=BYTES, Content_Range="0-9"
    )
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


@pytest.mark.parametrize("header", ["bytes", "9-0", "a-b", "0-99999999999999999999"])
def test_a_broken_content_range_is_refused(registry: Registry, header: str) -> None:
    answer = registry.request(
        "PATCH", started(registry, "push/long"), b"12345", Content_Type=BYTES, Content_Range=header
    )
    assert answer.status == 416


def test_an_upload_tells_how_much_is_there(registry: Registry) -> None:
    answer = registry.request("PATCH", started(registry, "push/status"), b"12345", Content_Type=BYTES)
    status = registry.request("GET", answer.header("Location"))
    assert (status.status, status.header("Range")) == (204, "0-4")
    assert registry.request("PUT", final(status.header("Location"), b"12345")).status == 201
    assert registry.request("GET", answer.header("Location")).status == 404


def test_an_upload_is_given_up(registry: Registry) -> None:
    place = started(registry, "push/cancel")
    assert registry.request("DELETE", place).status == 204
    gone = registry.request("GET", place)
    assert (gone.status, gone.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository(registry: Registry) -> None:
    place = started(registry, "push/mine").replace("push/mine", "push/yours")
    answer = registry.request("GET", place)
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("query", ["", "digest=sha256:abc", f"digest={digest(b'other')}"])
def test_an_upload_ends_with_the_right_digest_only(registry: Registry, query: str) -> None:
    place = registry.request("PATCH", started(registry, "push/end"), b"12345", Content_Type=BYTES).header("Location")
    answer = registry.request("PUT", f"{place}{'&' if '?' in place else '?'}{query}")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_a_layer_of_another_algorithm(registry: Registry) -> None:
    data = os.urandom(1000)
    done = registry.request("PUT", final(started(registry, "push/sha512"), data, "sha512"), data, Content_Type=BYTES)
    assert done.status == 201
    assert registry.request("GET", f"/v2/push/sha512/blobs/{digest(data, 'sha512')}").body == data


def test_a_blob_is_mounted_from_another_repository(registry: Registry) -> None:
    data = os.urandom(1000)
    push_blob(registry, "push/source", data)
    assert registry.request("HEAD", f"/v2/push/target/blobs/{digest(data)}").status == 404
    done = registry.request("POST", f"/v2/push/target/blobs/uploads/?mount={digest(data)}&from=push/source")
    assert done.status == 201
    assert blob(registry, "push/target", data) == data


@pytest.mark.parametrize("query", [f"mount={digest(b'absent')}&from=push/source", f"mount={digest(b'absent')}"])
def test_what_cannot_be_mounted_is_uploaded(registry: Registry, query: str) -> None:
    answer = registry.request("POST", f"/v2/push/target/blobs/uploads/?{query}")
    assert answer.status == 202
    data = os.urandom(100)
    done = registry.request("PUT", final(answer.header("Location"), data), data, Content_Type=BYTES)
    assert done.status == 201


def test_a_manifest_by_tag_and_by_digest(registry: Registry) -> None:
    made = push(registry, "push/manifest", image(), "v1")
    answer = push_manifest(registry, "push/manifest", made)
    assert (answer.status, answer.header("Docker-Content-Digest")) == (201, made.digest)
    assert registry.request("GET", answer.header("Location"), Accept=made.media_type).body == made.manifest


def test_a_tag_moves(registry: Registry) -> None:
    push(registry, "push/move", image(), "latest")
    second = push(registry, "push/move", image(), "latest")
    got = registry.request("GET", "/v2/push/move/manifests/latest", Accept=second.media_type)
    assert got.header("Docker-Content-Digest") == second.digest


def test_a_manifest_needs_its_blobs(registry: Registry) -> None:
    made = image()
    push_blob(registry, "push/lacking", made.blobs[0])
    answer = push_manifest(registry, "push/lacking", made, "v1")
    assert answer.status in (400, 404)
    assert answer.code in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
    assert registry.request("GET", "/v2/push/lacking/manifests/v1", Accept=OCI_MANIFEST).status == 404


def test_an_index_needs_its_manifests(registry: Registry) -> None:
    push(registry, "push/index", image(), "other")
    answer = push_manifest(registry, "push/index", index(image()), "v1")
    assert answer.status in (400, 404)
    assert answer.code == "MANIFEST_BLOB_UNKNOWN"


def test_an_index_of_two_images(registry: Registry) -> None:
    images = [push(registry, "push/index", image()) for _ in range(2)]
    made = push(registry, "push/index", index(*images), "both")
    got = registry.request("GET", "/v2/push/index/manifests/both", Accept=made.media_type)
    assert got.body == made.manifest


def test_a_manifest_must_give_the_true_size_of_its_blobs(registry: Registry) -> None:
    made = image()
    document = json.loads(made.manifest)
    document["layers"][0]["size"] += 1
    lying = Image(json.dumps(document).encode(), OCI_MANIFEST, made.blobs)
    for data in made.blobs:
        push_blob(registry, "push/lying", data)
    answer = push_manifest(registry, "push/lying", lying, "v1")
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


def test_a_manifest_under_another_digest_is_refused(registry: Registry) -> None:
    made = push(registry, "push/wrong", image(), "v1")
    answer = push_manifest(registry, "push/wrong", made, digest(b"other"))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_layers_that_lie_elsewhere_need_not_be_here(registry: Registry) -> None:
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    made = image(1, docker=True)
    document = json.loads(made.manifest)
    document["layers"].append(descriptor(b"elsewhere", foreign, urls=["https://layers.invalid/one"]))
    push(registry, "push/foreign", Image(json.dumps(document).encode(), made.media_type, made.blobs), "v1")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schemaVersion":2,"mediaType":"text/plain"}', b"\xff"])
def test_what_is_no_manifest_is_refused(registry: Registry, body: bytes) -> None:
    answer = registry.request("PUT", "/v2/push/broken/manifests/v1", body, Content_Type=OCI_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("body", [b"null", b'{"schemaVersion":2}', b'{"schemaVersion":1,"name":"a"}'])
def test_an_incomplete_manifest_is_refused(registry: Registry, body: bytes) -> None:
    answer = registry.request("PUT", "/v2/push/broken/manifests/v1", body, Content_Type=OCI_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_a_manifest_that_is_also_an_index_is_refused(registry: Registry) -> None:
    made = image()
    for data in made.blobs:
        push_blob(registry, "push/both", data)
    both = json.dumps({**json.loads(made.manifest), "manifests": []}).encode()
    answer = registry.request("PUT", "/v2/push/both/manifests/v1", both, Content_Type=OCI_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_a_manifest_larger_than_four_mebibytes_is_refused(registry: Registry) -> None:
    made = image()
    for data in made.blobs:
        push_blob(registry, "push/large", data)
    large = json.dumps({**json.loads(made.manifest), "annotations": {"a": "x" * (4 << 20)}}).encode()
    answer = registry.request("PUT", "/v2/push/large/manifests/v1", large, Content_Type=OCI_MANIFEST)
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")


def test_several_tags_with_one_push(registry: Registry) -> None:
    made = push(registry, "push/tags", image())
    path = f"/v2/push/tags/manifests/{made.digest}?tag=one&tag=two"
    answer = registry.request("PUT", path, made.manifest, Content_Type=made.media_type)
    assert answer.status == 201
    listed = registry.request("GET", "/v2/push/tags/tags/list").json["tags"]
    assert listed == ["one", "two"]


def test_a_subject_is_acknowledged(registry: Registry) -> None:
    subject = push(registry, "push/subject", image(), "v1")
    made = artifact(subject, "application/vnd.example.sbom")
    for data in made.blobs:
        push_blob(registry, "push/subject", data)
    answer = push_manifest(registry, "push/subject", made)
    assert (answer.status, answer.header("OCI-Subject")) == (201, subject.digest)


def test_a_verb_that_is_not_offered_is_refused_with_those_that_are(registry: Registry) -> None:
    answer = registry.request("PATCH", "/v2/push/two/tags/list", b"")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert "GET" in answer.header("Allow")
