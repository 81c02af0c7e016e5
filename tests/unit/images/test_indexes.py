from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from havre.content.store import Content
from havre.images.catalogue import Catalogue
from havre.images.indexes import for_platform, variants
from havre.images.model import Image, NoSuchImage
from havre.oci.descriptor import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.image_config import ImageConfig, RootFS
from havre.oci.manifest import Index, Manifest


def stored(content: Content, value: Manifest | Index, media_type: str) -> Descriptor:
    data = msgspec.json.encode(value)
    content.ingest(io.BytesIO(data))
    return Descriptor(media_type=media_type, digest=str(Digest.of(data)), size=len(data))


def manifest(content: Content, architecture: str) -> Descriptor:
    config = Descriptor(media_type=OCI_CONFIG, digest=str(Digest.of(architecture.encode())), size=100)
    layer = Descriptor(media_type=OCI_LAYER_GZIP, digest=str(Digest.of(b"layer")), size=1000)
    return stored(content, Manifest(schema_version=2, config=config, layers=[layer, layer]), OCI_MANIFEST)


def image(architecture: str, pointer: Descriptor, index: Descriptor | None, variant: str = "") -> Image:
    return Image(
        id=str(Digest.of(architecture.encode())),
        config=ImageConfig(architecture=architecture, os="linux", variant=variant, rootfs=RootFS()),
        manifest=pointer,
        index=index,
        layers=(),
        references=(),
        parent="",
        created_ns=0,
        last_tagged_ns=0,
    )


def listed(pointer: Descriptor, architecture: str, system: str = "linux", about: str = "") -> Descriptor:
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": about} if about else {}
    return msgspec.structs.replace(pointer, platform=Platform(architecture, system), annotations=notes)


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return Content(tmp_path)


async def test_what_an_index_lists_and_what_is_here_of_it(content: Content) -> None:
    here, away = manifest(content, "amd64"), manifest(content, "arm64")
    statement, odd = (Descriptor(media_type=OCI_MANIFEST, digest=str(Digest.of(one)), size=1) for one in (b"s", b"o"))
    entries = [
        listed(away, "arm64"),
        listed(here, "amd64"),
        listed(statement, "unknown", "unknown", about=here.digest),
        listed(odd, "unknown", "unknown"),
    ]
    index = stored(content, Index(schema_version=2, manifests=entries), OCI_INDEX)
    catalogue, made = Catalogue(), image("amd64", here, index)
    catalogue.put(made)
    found = await variants(content, catalogue.with_manifest, made)
    assert [one.image for one in found] == [None, made, None, None]
    assert [one.content_bytes for one in found] == [0, here.size + 100 + 1000, 0, 0]
    assert [one.is_image for one in found] == [True, True, False, False]
    assert [one.about for one in found] == ["", "", here.digest, ""]


async def test_an_image_without_an_index_or_with_a_lost_one_is_its_own_manifest(content: Content) -> None:
    pointer = manifest(content, "amd64")
    lost = Descriptor(media_type=OCI_INDEX, digest=str(Digest.of(b"lost")), size=9)
    for index in (None, lost):
        catalogue, made = Catalogue(), image("amd64", pointer, index)
        catalogue.put(made)
        (only,) = await variants(content, catalogue.with_manifest, made)
        assert (only.image, only.platform, only.descriptor) == (made, Platform("amd64", "linux"), pointer)


def test_the_best_of_several_platforms(content: Content) -> None:
    pointer, index = manifest(content, "x"), Descriptor(media_type=OCI_INDEX, digest=str(Digest.of(b"i")), size=9)
    old, new = image("arm", pointer, index, "v6"), image("amd64", pointer, index)
    catalogue = Catalogue()
    for one in (old, new):
        catalogue.put(one)
    for asked in (old, new):
        assert for_platform(catalogue, asked, Platform("arm", "linux", variant="v7"), "x") == old
        assert for_platform(catalogue, asked, Platform("amd64", "linux"), "x") == new
    with pytest.raises(NoSuchImage, match=r"image with reference x .*\(linux/s390x\)"):
        for_platform(catalogue, old, Platform("s390x", "linux"), "x")
