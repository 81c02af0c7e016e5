from __future__ import annotations

import msgspec
import pytest

from havre.base.errors import InvalidInput
from havre.oci.descriptor import INDEX_TYPES, MANIFEST_TYPES, OCI_LAYER, Descriptor, Platform
from havre.oci.digest import Digest

DIGEST = Digest.of(b"layer")


def test_a_descriptor_with_everything_is_read_as_it_is_written() -> None:
    data = {
        "mediaType": OCI_LAYER,
        "digest": str(DIGEST),
        "size": 5,
        "annotations": {"a": "b"},
        "platform": {"architecture": "arm", "os": "windows", "os.version": "10.0", "variant": "v7"},
        "urls": ["https://example.com/layer"],
    }
    descriptor = msgspec.json.decode(msgspec.json.encode(data), type=Descriptor)
    assert descriptor.platform == Platform(architecture="arm", os="windows", os_version="10.0", variant="v7")
    assert descriptor.parsed_digest() == DIGEST
    assert msgspec.json.decode(msgspec.json.encode(descriptor)) == data


def test_defaults_are_not_written() -> None:
    descriptor = Descriptor(media_type=OCI_LAYER, digest=str(DIGEST), size=0)
    assert set(msgspec.json.decode(msgspec.json.encode(descriptor))) == {"mediaType", "digest", "size"}


@pytest.mark.parametrize("size", [-1, -(2**70), 2**63, 10**30])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="impossible size"):
        Descriptor(media_type=OCI_LAYER, digest=str(DIGEST), size=size).parsed_digest()


def test_a_digest_that_is_a_path_is_refused() -> None:
    with pytest.raises(InvalidInput, match="invalid digest"):
        Descriptor(media_type=OCI_LAYER, digest="../../etc/passwd", size=1).parsed_digest()


def test_no_type_is_both_an_index_and_a_manifest() -> None:
    assert not INDEX_TYPES & MANIFEST_TYPES
