from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.images.catalogue import Catalogue
from havre.images.history import created_ns, history
from havre.images.model import Image, Layer
from havre.oci.descriptor import OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest
from havre.oci.image_config import History, ImageConfig, RootFS
from havre.oci.reference import Reference

LAYERS = tuple(
    Layer(chain=Digest.of(n), diff=Digest.of(n), size_bytes=size, tar_bytes=0) for n, size in ((b"1", 10), (b"2", 20))
)
STEPS = [
    History(created="2024-01-01T00:00:00Z", created_by="ADD rootfs", comment="first"),
    History(created="2024-01-02T00:00:00Z", created_by="ENV a=b", empty_layer=True),
    History(created_by="RUN make"),
]


def image(name: str, steps: list[History] | None, *, parent: str = "", names: tuple[str, ...] = ()) -> Image:
    return Image(
        id=name,
        config=ImageConfig(architecture="amd64", os="linux", rootfs=RootFS(), history=steps),
        manifest=Descriptor(media_type=OCI_MANIFEST, digest="sha256:" + "0" * 64, size=1),
        layers=LAYERS,
        references=tuple(Reference.parse(one) for one in names),
        parent=parent,
        created_ns=0,
        last_tagged_ns=0,
    )


def test_the_newest_step_comes_first_and_carries_the_id() -> None:
    told = history(Catalogue(), image("sha256:a", STEPS, names=("x:1", "x@sha256:" + "e" * 64)))
    assert [step.created_by for step in told] == ["RUN make", "ENV a=b", "ADD rootfs"]
    assert [step.size_bytes for step in told] == [20, 0, 10]
    assert [step.id for step in told] == ["sha256:a", "", ""]
    assert told[0].tags == ("x:1",)
    assert told[0].created_ns == 0
    assert told[2].created_ns == 1704067200 * 10**9
    assert told[2].comment == "first"


def test_parents_give_their_ids() -> None:
    catalogue = Catalogue()
    catalogue.put(image("sha256:b", STEPS[:1], names=("base:1",)))
    told = history(catalogue, image("sha256:a", STEPS[:2], parent="sha256:b"))
    assert [(step.id, step.tags) for step in told] == [("sha256:a", ()), ("sha256:b", ("base:1",))]
    gone = history(Catalogue(), image("sha256:a", STEPS[:2], parent="sha256:b"))
    assert [step.id for step in gone] == ["sha256:a", ""]


def test_no_history() -> None:
    assert history(Catalogue(), image("sha256:a", None)) == ()


def test_a_history_of_too_many_layers() -> None:
    with pytest.raises(InvalidInput, match="too many non-empty layers in History section"):
        history(Catalogue(), image("sha256:a", [STEPS[0]] * 3))


@pytest.mark.parametrize("text", [None, "", "yesterday", "2024-13-45T99:00:00Z", "9" * 50, "0001-01-01T00:00:00Z"])
def test_a_bad_date_is_no_date(text: str | None) -> None:
    assert created_ns(text) == 0
