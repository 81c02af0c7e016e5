"""Every line of the expected texts was read off Debian's dockerd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from havre.images.catalogue import Catalogue
from havre.images.model import ContainerUse, Deleted, Image, ImageInUse, Layer, NoSuchImage, Untagged
from havre.images.removal import InUse, Removal, Wish, plan_removal
from havre.oci.descriptor import OCI_INDEX, OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest
from havre.oci.image_config import ImageConfig, RootFS
from havre.oci.reference import Reference

CONFIG = ImageConfig(architecture="amd64", os="linux", rootfs=RootFS())
DIGEST = "sha256:" + "e" * 64


def chain(name: str) -> Layer:
    return Layer(chain=Digest.of(name.encode()), diff=Digest.of(b"-" + name.encode()), size_bytes=7, tar_bytes=0)


def image_id(start: str) -> str:
    return "sha256:" + start.ljust(64, "0")


def image(start: str, *names: str, layers: str = "", parent: str = "") -> Image:
    return Image(
        id=image_id(start),
        config=CONFIG,
        manifest=Descriptor(media_type=OCI_MANIFEST, digest=DIGEST, size=1),
        layers=tuple(chain(layers[: end + 1]) for end in range(len(layers))),
        references=tuple(sorted((Reference.parse(name) for name in names), key=str)),
        parent=image_id(parent) if parent else "",
        created_ns=0,
        last_tagged_ns=0,
    )


def of(*images: Image) -> Catalogue:
    made = Catalogue()
    for one in images:
        made.put(one)
    return made


def nobody(_image: str) -> Sequence[ContainerUse]:
    return ()


def used(start: str, *containers: tuple[str, bool]) -> InUse:
    def in_use(one: str) -> Sequence[ContainerUse]:
        found = [ContainerUse(name.ljust(64, "0"), running) for name, running in containers]
        return found if one == image_id(start) else ()

    return in_use


def plan(
    catalogue: Catalogue, text: str, in_use: InUse = nobody, *, force: bool = False, prune: bool = True
) -> Removal:
    return plan_removal(catalogue, Wish(text=text, force=force, prune=prune), in_use)


def told(removal: Removal) -> list[str]:
    lines = []
    for one in removal.answer:
        match one:
            case Untagged(reference, _):
                lines.append(f"Untagged: {reference.familiar}")
            case Deleted(digest, _):
                lines.append(f"Deleted: {digest[:13]}")
    return lines


def short(name: str) -> str:
    return str(chain(name).chain)[:13]


def test_the_last_name_takes_image_and_layers_along() -> None:
    removal = plan(of(image("aa", "x:1", layers="123")), "x:1")
    assert told(removal) == [
        "Untagged: x:1",
        "Deleted: sha256:aa0000",
        f"Deleted: {short('123')}",
        f"Deleted: {short('12')}",
        f"Deleted: {short('1')}",
    ]
    assert removal.images == (image_id("aa"),)
    assert [str(name) for name in removal.names] == ["docker.io/library/x:1"]
    assert len(removal.chains) == 3


def test_one_name_of_several() -> None:
    removal = plan(of(image("aa", "x:1", "y:1", layers="1")), "y:1")
    assert told(removal) == ["Untagged: y:1"]
    assert removal.images == ()
    assert removal.chains == ()


def test_layers_that_others_stand_on_stay() -> None:
    catalogue = of(image("aa", "x:1", layers="123"), image("bb", "y:1", layers="12"))
    assert told(plan(catalogue, "x:1")) == ["Untagged: x:1", "Deleted: sha256:aa0000", f"Deleted: {short('123')}"]
    held = plan_removal(catalogue, Wish(text="x:1", force=False, prune=True), nobody, frozenset({chain("123").chain}))
    assert held.chains == ()


def test_digests_of_the_repository_go_with_its_last_tag() -> None:
    catalogue = of(image("aa", "x:1", f"x@{DIGEST}", layers=""))
    assert told(plan(catalogue, "x:1")) == ["Untagged: x:1", f"Untagged: x@{DIGEST}", "Deleted: sha256:aa0000"]
    assert told(plan(catalogue, f"x@{DIGEST}")) == [f"Untagged: x@{DIGEST}"]
    elsewhere = of(image("aa", "x:1", f"y@{DIGEST}"))
    assert told(plan(elsewhere, "x:1")) == ["Untagged: x:1"]


def test_an_id_means_all_names_of_one_repository() -> None:
    assert told(plan(of(image("aa", "x:1")), "aa")) == ["Untagged: x:1", "Deleted: sha256:aa0000"]
    both = of(image("aa", "x:1", f"x@{DIGEST}"))
    assert told(plan(both, image_id("aa")))[-1] == "Deleted: sha256:aa0000"
    assert told(plan(of(image("aa")), "aa")) == ["Deleted: sha256:aa0000"]


@pytest.mark.parametrize("names", [("x:1", "y:1"), ("x:1", "x:2"), ("x:1", f"y@{DIGEST}")])
def test_an_id_with_several_repositories_must_be_forced(names: tuple[str, ...]) -> None:
    catalogue = of(image("aa", *names))
    with pytest.raises(ImageInUse) as caught:
        plan(catalogue, "aa")
    assert caught.value.message == (
        "conflict: unable to delete aa0000000000 (must be forced) - image is referenced in multiple repositories"
    )
    assert len(plan(catalogue, "aa", force=True).names) == 2


def test_a_stopped_container_holds_a_name_and_an_image() -> None:
    catalogue = of(image("aa", "x:latest", layers="1"))
    stopped = used("aa", ("c1", False))
    with pytest.raises(ImageInUse) as caught:
        plan(catalogue, "x", stopped)
    assert caught.value.message == (
        'conflict: unable to remove repository reference "x" (must force) - '
        "container c10000000000 is using its referenced image aa0000000000"
    )
    with pytest.raises(ImageInUse) as caught:
        plan(catalogue, "aa", stopped)
    assert caught.value.message == (
        "conflict: unable to delete aa0000000000 (must be forced) - "
        "image is being used by stopped container c10000000000"
    )
    forced = plan(catalogue, "aa", stopped, force=True)
    assert told(forced) == ["Untagged: x:latest", "Deleted: sha256:aa0000"]
    assert forced.chains == (), "the container still stands on the layers"


def test_a_running_container_holds_an_image_whatever_is_forced() -> None:
    catalogue = of(image("aa", "x:latest", layers="1"))
    running = used("aa", ("c1", False), ("c2", True))
    for force in (False, True):
        with pytest.raises(ImageInUse) as caught:
            plan(catalogue, "aa", running, force=force)
        assert caught.value.message == (
            "conflict: unable to delete aa0000000000 (cannot be forced) - "
            "image is being used by running container c20000000000"
        )
    assert told(plan(catalogue, "x", running, force=True)) == ["Untagged: x:latest"]


def test_a_second_name_may_go_while_containers_run() -> None:
    catalogue = of(image("aa", "x:1", "y:1"))
    assert told(plan(catalogue, "x:1", used("aa", ("c1", True)))) == ["Untagged: x:1"]


def test_children_hold_their_parent() -> None:
    catalogue = of(image("aa", "x:1", layers="1"), image("bb", "y:1", layers="12", parent="aa"))
    assert told(plan(catalogue, "x:1")) == ["Untagged: x:1"]
    for force in (False, True):
        with pytest.raises(ImageInUse) as caught:
            plan(catalogue, "aa", force=force)
        assert caught.value.message == (
            "conflict: unable to delete aa0000000000 (cannot be forced) - image has dependent child images"
        )


def test_nameless_parents_go_with_the_last_child() -> None:
    catalogue = of(
        image("aa", layers="1"), image("bb", layers="12", parent="aa"), image("cc", "y:1", layers="12", parent="bb")
    )
    assert told(plan(catalogue, "y:1")) == [
        "Untagged: y:1",
        "Deleted: sha256:cc0000",
        "Deleted: sha256:bb0000",
        f"Deleted: {short('12')}",
        "Deleted: sha256:aa0000",
        f"Deleted: {short('1')}",
    ]
    assert told(plan(catalogue, "y:1", prune=False)) == ["Untagged: y:1", "Deleted: sha256:cc0000"]
    assert told(plan(catalogue, "y:1", used("bb", ("c1", False)))) == ["Untagged: y:1", "Deleted: sha256:cc0000"]


def test_a_named_parent_stays() -> None:
    catalogue = of(image("aa", "x:1", layers="1"), image("cc", "y:1", layers="12", parent="aa"))
    assert told(plan(catalogue, "y:1")) == ["Untagged: y:1", "Deleted: sha256:cc0000", f"Deleted: {short('12')}"]


def test_an_unknown_image() -> None:
    with pytest.raises(NoSuchImage, match="No such image: x:latest"):
        plan(of(), "x")


INDEX = Descriptor(media_type=OCI_INDEX, digest="sha256:" + "d" * 64, size=1)


def of_one_index(*images: Image) -> Catalogue:
    return of(*(replace(one, index=INDEX) for one in images))


def test_platforms_without_a_name_go_with_the_last_name_of_their_index() -> None:
    removal = plan(of_one_index(image("a", "x:1", layers="a"), image("b", layers="b"), image("c")), "x:1")
    assert removal.images == (image_id("a"), image_id("b"), image_id("c"))
    assert len(removal.chains) == 2


@pytest.mark.parametrize("other", ["y:1", "x:2"])
def test_platforms_stay_while_a_name_means_their_index(other: str) -> None:
    removal = plan(of_one_index(image("a", "x:1"), image("b", other), image("c")), "x:1")
    assert removal.images == (image_id("a"),)


def test_a_container_of_any_platform_holds_the_name() -> None:
    catalogue, in_use = of_one_index(image("a", "x:1"), image("b")), used("b", ("c", False))
    for text in ("x:1", image_id("a")):
        with pytest.raises(ImageInUse, match=r"must be forced|must force"):
            plan(catalogue, text, in_use)
    assert plan(catalogue, "x:1", in_use, force=True).images == (image_id("a"),)
