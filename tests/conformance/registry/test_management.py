"""Content management: deletion of tags, manifests and blobs (distribution-spec, "Content Management")."""

from __future__ import annotations

from tests.support.oci_images import OCI_MANIFEST, artifact, digest, image
from tests.support.pushing import push, push_blob
from tests.support.registries import Registry


def test_a_manifest_is_deleted_with_its_tags(registry: Registry) -> None:
    made = push(registry, "delete/manifest", image(), "v1", "v2")
    kept = push(registry, "delete/manifest", image(), "v3")
    assert registry.request("DELETE", f"/v2/delete/manifest/manifests/{made.digest}").status == 202
    for reference in ("v1", "v2", made.digest):
        path = f"/v2/delete/manifest/manifests/{reference}"
        assert registry.request("GET", path, Accept=OCI_MANIFEST).status == 404
    assert registry.request("GET", "/v2/delete/manifest/tags/list").json["tags"] == ["v3"]
    assert registry.request("HEAD", f"/v2/delete/manifest/manifests/{kept.digest}", Accept=OCI_MANIFEST).status == 200


def test_a_tag_is_deleted_alone(registry: Registry) -> None:
    made = push(registry, "delete/tag", image(), "v1", "v2")
    assert registry.request("DELETE", "/v2/delete/tag/manifests/v1").status == 202
    assert registry.request("GET", "/v2/delete/tag/tags/list").json["tags"] == ["v2"]
    assert registry.request("HEAD", f"/v2/delete/tag/manifests/{made.digest}", Accept=OCI_MANIFEST).status == 200


def test_a_blob_is_deleted(registry: Registry) -> None:
    push_blob(registry, "delete/blob", b"to be deleted")
    path = f"/v2/delete/blob/blobs/{digest(b'to be deleted')}"
    assert registry.request("DELETE", path).status == 202
    assert registry.request("GET", path).status == 404
    assert registry.request("DELETE", path).status == 404


def test_a_blob_that_a_manifest_needs_is_not_deleted(registry: Registry) -> None:
    made = push(registry, "delete/needed", image(), "v1")
    path = f"/v2/delete/needed/blobs/{digest(made.blobs[1])}"
    answer = registry.request("DELETE", path)
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert registry.request("GET", path).status == 200
    assert registry.request("DELETE", f"/v2/delete/needed/manifests/{made.digest}").status == 202
    assert registry.request("DELETE", path).status == 202


def test_what_is_not_there_is_not_deleted(registry: Registry) -> None:
    push(registry, "delete/absent", image(), "v1")
    assert registry.request("DELETE", f"/v2/delete/absent/manifests/{digest(b'absent')}").status == 404
    assert registry.request("DELETE", f"/v2/delete/absent/blobs/{digest(b'absent')}").status == 404


def test_another_repository_keeps_what_it_shares(registry: Registry) -> None:
    made = push(registry, "delete/one", image(), "v1")
    push(registry, "delete/two", made, "v1")
    assert registry.request("DELETE", f"/v2/delete/one/manifests/{made.digest}").status == 202
    assert registry.request("GET", "/v2/delete/two/manifests/v1", Accept=OCI_MANIFEST).body == made.manifest
    assert registry.request("GET", f"/v2/delete/two/blobs/{digest(made.blobs[1])}").status == 200


def test_a_referrer_that_is_deleted_is_no_longer_listed(registry: Registry) -> None:
    subject = push(registry, "delete/referrer", image(), "v1")
    made = push(registry, "delete/referrer", artifact(subject, "application/vnd.example.sbom"))
    path = f"/v2/delete/referrer/referrers/{subject.digest}"
    assert len(registry.request("GET", path).json["manifests"]) == 1
    assert registry.request("DELETE", f"/v2/delete/referrer/manifests/{made.digest}").status == 202
    assert registry.request("GET", path).json["manifests"] == []
