from __future__ import annotations

from dataclasses import replace

import pytest

from havre.base.errors import InvalidInput
from havre.images.catalogue import Catalogue, is_id_or_prefix, is_whole_id
from havre.images.model import Image, NoSuchImage
from havre.oci.descriptor import OCI_INDEX, OCI_MANIFEST, Descriptor
from havre.oci.image_config import ImageConfig, RootFS
from havre.oci.reference import Reference

CONFIG = ImageConfig(architecture="amd64", os="linux", rootfs=RootFS())


def image(start: str, *names: str, parent: str = "", created: int = 0) -> Image:
    return Image(
        id="sha256:" + start.ljust(64, "0"),
        config=CONFIG,
        manifest=Descriptor(media_type=OCI_MANIFEST, digest="sha256:" + "0" * 64, size=1),
        layers=(),
        references=tuple(Reference.parse(name) for name in names),
        parent=parent,
        created_ns=created,
        last_tagged_ns=0,
    )


@pytest.fixture
def catalogue() -> Catalogue:
    made = Catalogue()
    made.put(image("abc1", "busybox:latest", "host:5000/a/b:1"))
    made.put(image("abd2", "busybox:1.36", "docker.io/library/busybox@sha256:" + "e" * 64))
    made.put(image("deed", "abc1:latest"))
    return made


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("busybox", "abc1"),
        ("docker.io/library/busybox", "abc1"),
        ("index.docker.io/busybox:latest", "abc1"),
        ("busybox:1.36", "abd2"),
        ("busybox@sha256:" + "e" * 64, "abd2"),
        ("busybox:anything@sha256:" + "e" * 64, "abd2"),
        ("host:5000/a/b:1", "abc1"),
        ("abc", "abc1"),
        ("sha256:abd", "abd2"),
        ("abd2" + "0" * 60, "abd2"),
        ("sha256:abd2" + "0" * 60, "abd2"),
        ("abc1", "deed"),  # a name goes before the beginning of an id
        ("d", "deed"),
    ],
)
def test_found(catalogue: Catalogue, text: str, start: str) -> None:
    assert catalogue.find(text).id.startswith("sha256:" + start)
    assert catalogue.find(text).id.startswith("sha256:" + start), "the second time too"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch", "No such image: nosuch:latest"),
        ("library/nosuch:2", "No such image: nosuch:2"),
        ("a", "No such image: a:latest"),
        ("ab", "No such image: ab:latest"),
        ("sha256:ab", "No such image: sha256:ab"),
        ("f" * 64, "No such image: sha256:" + "f" * 64),
        ("sha256:" + "f" * 64, "No such image: sha256:" + "f" * 64),
        ("busybox@sha256:" + "f" * 64, "No such image: busybox@sha256:" + "f" * 64),
        ("host:5000/a/b", "No such image: host:5000/a/b:latest"),
    ],
)
def test_not_found(catalogue: Catalogue, text: str, message: str) -> None:
    with pytest.raises(NoSuchImage) as caught:
        catalogue.find(text)
    assert caught.value.message == message


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "../x", "x:", ":x", "\0", "é", "a" * 300])
def test_what_can_name_nothing(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(InvalidInput):
        catalogue.find(text)


def test_a_name_moves(catalogue: Catalogue) -> None:
    catalogue.find("busybox")
    catalogue.tag("sha256:" + "deed".ljust(64, "0"), [Reference.parse("busybox:latest")], 5)
    assert catalogue.find("busybox").id.startswith("sha256:deed")
    assert catalogue.find("busybox").last_tagged_ns == 5
    assert catalogue.find("busybox").repo_tags == ("abc1:latest", "busybox:latest")
    assert catalogue.find("abc").repo_tags == ("host:5000/a/b:1",)


def test_putting_again_keeps_names(catalogue: Catalogue) -> None:
    catalogue.put(image("abc1", "new:1"))
    assert catalogue.find("abc").repo_tags == ("busybox:latest", "new:1", "host:5000/a/b:1")
    assert len(catalogue.all()) == 3


def test_gone(catalogue: Catalogue) -> None:
    catalogue.find("busybox")
    catalogue.drop("sha256:" + "abc1".ljust(64, "0"))
    catalogue.drop("sha256:" + "abc1".ljust(64, "0"))
    with pytest.raises(NoSuchImage):
        catalogue.find("busybox")
    assert catalogue.find("ab").id.startswith("sha256:abd2"), "no longer ambiguous"
    catalogue.untag([Reference.parse("busybox:1.36"), Reference.parse("unknown:1")])
    assert catalogue.find("abd").repo_tags == ()
    assert catalogue.find("abd").repo_digests == ("busybox@sha256:" + "e" * 64,)


def test_children_follow_their_parent(catalogue: Catalogue) -> None:
    parent = catalogue.find("abd").id
    catalogue.put(image("c1", parent=parent))
    catalogue.put(image("c2", parent=parent))
    assert len(catalogue.children(parent)) == 2
    catalogue.put(image("c2"))
    assert len(catalogue.children(parent)) == 1
    catalogue.drop("sha256:" + "c1".ljust(64, "0"))
    assert catalogue.children(parent) == frozenset()


def test_the_newest_comes_first(catalogue: Catalogue) -> None:
    catalogue.put(image("f1", created=20))
    catalogue.put(image("f2", created=30))
    assert [one.created_ns for one in catalogue.all()] == [30, 20, 0, 0, 0]


def test_repositories(catalogue: Catalogue) -> None:
    found = catalogue.in_repository(Reference.parse("busybox"))
    assert [name.familiar for name in found] == ["busybox:1.36", "busybox:latest"]


def test_ids_and_their_beginnings() -> None:
    assert is_id_or_prefix("sha256:abc", "ab")
    assert is_id_or_prefix("sha256:abc", "sha256:ab")
    assert not is_id_or_prefix("sha256:abc", "b")
    assert is_whole_id("a" * 64)
    assert is_whole_id("sha256:" + "a" * 64)
    assert not is_whole_id("a" * 63)
    assert not is_whole_id("sha256:" + "g" * 64)


def test_images_of_one_index_belong_together() -> None:
    index = Descriptor(media_type=OCI_INDEX, digest="sha256:" + "d" * 64, size=1)
    made = Catalogue()
    alone, first, second = image("a", "x:1"), replace(image("b"), index=index), replace(image("c", "y:1"), index=index)
    for one in (alone, first, second):
        made.put(one)
    assert made.platforms(alone) == (alone,)
    assert made.platforms(second) == (second, first)
    assert [made.is_covered(one) for one in (alone, first, second)] == [False, True, False]
    made.untag([Reference.parse("y:1")])
    assert not made.is_covered(first)
    made.put(replace(first, index=None))
    assert made.platforms(second) == (second,)
    made.drop(second.id)
    assert made.with_manifest(first.manifest.digest) is not None
    made.drop(first.id)
    made.drop(alone.id)
    assert made.with_manifest(first.manifest.digest) is None
