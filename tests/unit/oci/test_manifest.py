from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.oci.descriptor import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_MANIFEST_BYTES, Index, Manifest, decode

Document = dict[str, Any]


def _descriptor(kind: str, **more: object) -> Document:
    return {"mediaType": kind, "digest": str(Digest.of(kind.encode())), "size": 7, **more}


def _manifest(**more: object) -> Document:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG),
        "layers": [_descriptor(OCI_LAYER)],
        **more,
    }


def _index(**more: object) -> Document:
    manifest = _descriptor(OCI_MANIFEST, platform={"architecture": "amd64", "os": "linux"})
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [manifest], **more}


def _without(document: Document, *names: str) -> Document:
    return {name: value for name, value in document.items() if name not in names}


def _json(document: object) -> bytes:
    return msgspec.json.encode(document)


@pytest.mark.parametrize("served_as", ["", OCI_MANIFEST])
@pytest.mark.parametrize("told", [True, False])
def test_a_manifest(served_as: str, *, told: bool) -> None:
    document = _manifest() if told else _without(_manifest(), "mediaType")
    read = decode(_json(document), served_as)
    assert isinstance(read, Manifest)
    assert read.config.media_type == OCI_CONFIG
    assert [layer.media_type for layer in read.layers] == [OCI_LAYER]
    assert msgspec.json.decode(_json(read)) == document


@pytest.mark.parametrize("served_as", ["", OCI_INDEX])
@pytest.mark.parametrize("told", [True, False])
def test_an_index(served_as: str, *, told: bool) -> None:
    document = _index() if told else _without(_index(), "mediaType")
    read = decode(_json(document), served_as)
    assert isinstance(read, Index)
    assert read.manifests[0].platform is not None
    assert msgspec.json.decode(_json(read)) == document


def test_docker_types() -> None:
    manifest = _manifest(
        mediaType=DOCKER_MANIFEST, config=_descriptor(DOCKER_CONFIG), layers=[_descriptor(DOCKER_LAYER_GZIP)]
    )
    assert isinstance(decode(_json(manifest), DOCKER_MANIFEST), Manifest)
    assert isinstance(decode(_json(_index(mediaType=DOCKER_MANIFEST_LIST)), DOCKER_MANIFEST_LIST), Index)


def test_what_is_unknown_is_passed_over() -> None:
    read = decode(_json(_manifest(annotations={"a": "b"}, artifactType="x/y", subject=_descriptor(OCI_MANIFEST))))
    assert read.annotations == {"a": "b"}


@pytest.mark.parametrize(
    "document",
    [
        _manifest(manifests=[]),
        _manifest(manifests=_index()["manifests"]),
        _manifest(manifests=None),
        _index(layers=[]),
        _index(layers=None),
        _index(config=_descriptor(OCI_CONFIG)),
        _without(_index(layers=[], config={}), "mediaType"),
    ],
)
@pytest.mark.parametrize("served_as", ["", OCI_MANIFEST, OCI_INDEX])
def test_a_document_that_is_two_things_is_refused(document: Document, served_as: str) -> None:
    with pytest.raises(InvalidInput):
        decode(_json(document), served_as)


@pytest.mark.parametrize(
    ("document", "served_as"),
    [
        (_manifest(), OCI_INDEX),
        (_manifest(), DOCKER_MANIFEST),
        (_index(), OCI_MANIFEST),
        (_without(_manifest(), "mediaType"), OCI_INDEX),
        (_without(_index(), "mediaType"), OCI_MANIFEST),
        (_manifest(mediaType=OCI_INDEX), ""),
        (_index(mediaType=OCI_MANIFEST), ""),
        (_manifest(mediaType="text/plain"), ""),
        (_manifest(mediaType="x" * 10**5), "y" * 10**5),
        (_manifest(mediaType="application/vnd.docker.distribution.manifest.v1+json"), ""),
        (_without(_manifest(), "mediaType"), "application/json"),
    ],
)
def test_a_media_type_that_contradicts_is_refused(document: Document, served_as: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(_json(document), served_as)
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("version", [1, 0, 3, -2, 10**30])
def test_a_wrong_schema_version_is_refused(version: int) -> None:
    with pytest.raises(InvalidInput, match="unsupported manifest schema version"):
        decode(_json(_manifest(schemaVersion=version)))


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        7,
        "manifest",
        {},
        {"schemaVersion": 2},
        _without(_manifest(), "schemaVersion"),
        _without(_manifest(), "config"),
        _without(_manifest(), "layers"),
        _manifest(schemaVersion="2"),
        _manifest(schemaVersion=2.5),
        _manifest(schemaVersion=None),
        _manifest(schemaVersion=True),
        _manifest(mediaType=None),
        _manifest(mediaType=[]),
        _manifest(config=None),
        _manifest(config=[]),
        _manifest(layers=None),
        _manifest(layers={}),
        _manifest(layers=[None]),
        _manifest(layers=[_descriptor(OCI_LAYER, size="7")]),
        _manifest(layers=[_descriptor(OCI_LAYER, size=None)]),
        _manifest(layers=[_descriptor(OCI_LAYER, digest=None)]),
        _manifest(layers=[_descriptor(OCI_LAYER, urls={})]),
        _manifest(layers=[{"digest": "x", "size": 1}]),
        _manifest(annotations={"a": 1}),
        _manifest(annotations=[]),
        _index(manifests=None),
        _index(manifests=[7]),
        _index(manifests=[_descriptor(OCI_MANIFEST, platform={"os": "linux"})]),
    ],
)
def test_wrong_shapes_are_refused(document: object) -> None:
    with pytest.raises(InvalidInput):
        decode(_json(document))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"schemaVersion":2,"mediaType":"\xff"}',
        b'{"schemaVersion":2,"mediaType":"\\ud800"}',
        b'{"schemaVersion":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"schemaVersion":2,"layers":' + b"[" * 100_000,
        b'{"a":' * 100_000,
        _json(_manifest()) + b"x",
    ],
)
def test_broken_documents_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="invalid image manifest"):
        decode(data)


def test_the_size_has_a_limit() -> None:
    padded = _json(_manifest()).ljust(MAX_MANIFEST_BYTES)
    assert isinstance(decode(padded), Manifest)
    with pytest.raises(InvalidInput, match="larger than 4194304"):
        decode(padded + b" ")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = ["schemaVersion", "mediaType", "config", "layers", "manifests", "annotations"]


@given(st.sampled_from([_manifest(), _index()]), st.dictionaries(st.sampled_from(_NAMES), _values))
def test_any_document_is_read_or_refused(document: Document, changes: Document) -> None:
    try:
        read = decode(_json({**document, **changes}))
    except InvalidInput:
        return
    assert read.schema_version == 2


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode(data)
