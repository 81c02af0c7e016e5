"""Pushing with bare requests, for tests that look at each of them."""

from __future__ import annotations

from tests.support.oci_images import Image
from tests.support.oci_images import digest as digest_of
from tests.support.registries import Registry, Reply


def push_blob(registry: Registry, name: str, data: bytes, **headers: str) -> Reply:
    """Push in two requests; both must succeed."""
    started = registry.request("POST", f"/v2/{name}/blobs/uploads/", b"", **headers)
    assert started.status == 202, started
    place = started.header("Location")
    joint = "&" if "?" in place else "?"
    done = registry.request(
        "PUT", f"{place}{joint}digest={digest_of(data)}", data, Content_Type="application/octet-stream", **headers
    )
    assert done.status == 201, done
    return done


def push_manifest(registry: Registry, name: str, made: Image, reference: str = "", **headers: str) -> Reply:
    path = f"/v2/{name}/manifests/{reference or made.digest}"
    return registry.request("PUT", path, made.manifest, Content_Type=made.media_type, **headers)


def push(registry: Registry, name: str, made: Image, *tags: str, **headers: str) -> Image:
    """Push all of it; without tags, by digest."""
    for data in made.blobs:
        push_blob(registry, name, data, **headers)
    for reference in tags or (made.digest,):
        done = push_manifest(registry, name, made, reference, **headers)
        assert done.status == 201, (done.status, done.body)
    return made
