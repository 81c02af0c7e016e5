"""What a manifest says of itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.registry.server.described import child_for, describe
from havre.registry.server.refusal import Refusal
from tests.support.oci_images import OCI_MANIFEST, artifact, digest, image, index

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "size", "digest"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


def test_an_image_needs_its_config_and_layers() -> None:
    made = image(2)
    found = describe(made.manifest, made.media_type, Digest.parse(made.digest))
    assert [(str(blob), size) for blob, size in found.blobs] == [(digest(data), len(data)) for data in made.blobs]
    assert (found.children, found.subject, found.is_index) == ((), None, False)
    assert found.artifact_type == "application/vnd.oci.image.config.v1+json"


def test_an_index_needs_its_manifests() -> None:
    images = [image(), image()]
    made = index(*images)
    found = describe(made.manifest, "", Digest.parse(made.digest))
    assert [str(child) for child in found.children] == [each.digest for each in images]
    assert (found.blobs, found.is_index) == ((), True)


def test_an_artifact_is_about_its_subject() -> None:
    subject = image()
    made = artifact(subject, "application/x", annotations={"a": "b"})
    found = describe(made.manifest, f"{OCI_MANIFEST}; charset=utf-8", Digest.parse(made.digest))
    assert (str(found.subject), found.artifact_type, found.annotations) == (subject.digest, "application/x", {"a": "b"})


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        describe(data, OCI_MANIFEST, Digest.of(data))
    except Refusal as refusal:
        assert refusal.status == 400


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(Refusal):
        describe(b'{"schemaVersion":2,"config":' + b"[" * 100_000, OCI_MANIFEST, Digest.of(b""))


def test_a_child_by_its_platform() -> None:
    images = [image(), image()]
    made = index(*images)
    found = child_for(made.manifest, Platform(architecture="arm64", os="linux"))
    assert found is not None
    assert found.digest == images[1].digest
    assert child_for(made.manifest, Platform(architecture="riscv64", os="linux")) is None
    assert child_for(images[0].manifest, Platform(architecture="amd64", os="linux")) is None
