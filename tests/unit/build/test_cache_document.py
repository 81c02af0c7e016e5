"""What a cache offers, and documents that offer what they do not have."""

from __future__ import annotations

import msgspec
import pytest

from havre.base.errors import InvalidInput
from havre.build.cache_document import CachedStep, Offered, read, write
from havre.oci.descriptor import OCI_LAYER_GZIP, Descriptor
from havre.oci.digest import Digest

DIFF = Digest.of(b"diff")
BLOB = Descriptor(media_type=OCI_LAYER_GZIP, digest=str(Digest.of(b"blob")), size=4)


def test_there_and_back() -> None:
    steps = [CachedStep(key="a", created_ns=1), CachedStep(key="b", created_ns=2, layer=0, diff=str(DIFF))]
    assert read(write(steps), [BLOB]) == {
        "a": Offered(created_ns=1),
        "b": Offered(created_ns=2, diff=DIFF, blob=BLOB),
    }


def test_an_image_knows_its_diffs_itself() -> None:
    found = read(write([CachedStep(key="b", created_ns=2, layer=0)]), [BLOB], [str(DIFF)])
    assert found["b"].diff == DIFF


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"version":1,"steps":{}}',
        b'{"version":2,"steps":[]}',
        b"[" * 100_000,
        write([CachedStep(key="b", created_ns=2, layer=1, diff=str(DIFF))]),
        write([CachedStep(key="b", created_ns=2, layer=0)]),
        write([CachedStep(key="b", created_ns=2, layer=0, diff="sha256:xyz")]),
        msgspec.json.encode({"version": 1, "steps": [{"key": 1, "created_ns": 1}]}),
    ],
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(data, [BLOB])


def test_what_is_no_layer() -> None:
    other = Descriptor(media_type="application/x-other", digest=BLOB.digest, size=4)
    with pytest.raises(InvalidInput, match="is no layer"):
        read(write([CachedStep(key="b", created_ns=2, layer=0, diff=str(DIFF))]), [other])
