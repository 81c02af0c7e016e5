"""Trees in work sealed as they lie: at once in memory, on the disk after a flush, never half."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.base.errors import Conflict
from havre.oci.digest import Digest, chain_id
from havre.snapshots.contract import KeyTaken, NoSuchKey, NoSuchLayer, View
from havre.snapshots.overlay import Overlay
from havre.snapshots.sealing import Seal
from havre.snapshots.writer import WriteWishes, write_tar
from tests.support.tars import archive, file, folder

pytestmark = pytest.mark.root

BASE = archive(folder("d"), file("d/a", b"base"), file("gone", b"x"))
BASE_CHAIN = Digest.of(BASE)


def change(overlay: Overlay, key: str, name: str = "new") -> Digest:
    """Change the tree, and give the digest of what was changed."""
    with overlay.mounted(key, View.WRITABLE) as root:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=root)
        os.write(handle, b"made")
        os.close(handle)
        os.unlink("gone", dir_fd=root)
    with overlay.mounted(key, View.OWN) as own:
        return Digest.of(b"".join(write_tar(own, WriteWishes(overlay=True))))


def sealed(overlay: Overlay, key: str = "work", name: str = "new") -> Digest:
    overlay.prepare(key, BASE_CHAIN)
    diff = change(overlay, key, name)
    chain = chain_id((BASE_CHAIN, diff))
    assert chain is not None
    overlay.sealing.seal(key, Seal(chain=chain, diff_id=diff, size=4))
    return chain


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Overlay]:
    made = Overlay(tmp_path / "overlay2")
    made.unpack(BASE_CHAIN, None, io.BytesIO(BASE))
    yield made
    made.close()


@pytest.fixture
def again(tmp_path: Path) -> Iterator[Callable[[], Overlay]]:
    """The store as the next process finds it."""
    opened: list[Overlay] = []

    def reopen() -> Overlay:
        opened.append(Overlay(tmp_path / "overlay2"))
        return opened[-1]

    yield reopen
    for one in opened:
        one.close()


def keys(overlay: Overlay) -> tuple[str, ...]:
    return overlay.keys()


def names(overlay: Overlay, chain: Digest) -> set[str]:
    overlay.prepare("look", chain)
    try:
        with overlay.mounted("look") as root:
            return set(os.listdir(root))
    finally:
        overlay.discard("look")


def test_what_was_changed_is_a_layer(overlay: Overlay) -> None:
    chain = sealed(overlay)
    assert names(overlay, chain) == {"d", "new"}
    layer = overlay.find(chain)
    assert layer is not None
    assert (layer.parent, layer.size) == (BASE_CHAIN, 4)
    assert "work" not in keys(overlay)
    with pytest.raises(NoSuchKey):
        overlay.mounts("work")


def test_the_sealed_tree_is_what_its_archive_says(overlay: Overlay) -> None:
    chain = sealed(overlay)
    layer = overlay.find(chain)
    assert layer is not None
    handle = os.open(overlay.diff_path(chain.value), os.O_RDONLY)
    assert Digest.of(b"".join(write_tar(handle, WriteWishes(overlay=True)))) == layer.diff_id
    os.close(handle)


def test_it_survives_once_it_was_flushed(overlay: Overlay, again: Callable[[], Overlay]) -> None:
    chain = sealed(overlay)
    overlay.sealing.flush()
    store = again()
    store.sweep()
    assert store.has(chain)
    assert names(store, chain) == {"d", "new"}


def test_what_was_not_flushed_is_swept(overlay: Overlay, again: Callable[[], Overlay], tmp_path: Path) -> None:
    chain = sealed(overlay)
    store = again()
    assert not store.has(chain)
    store.sweep()
    assert not (tmp_path / "overlay2" / chain.value).exists()
    with pytest.raises(NoSuchLayer):
        store.prepare("look", chain)


def test_the_same_twice(overlay: Overlay) -> None:
    first = sealed(overlay)
    overlay.prepare("again", BASE_CHAIN)
    layer = overlay.find(first)
    assert layer is not None
    known = overlay.sealing.seal("again", Seal(chain=first, diff_id=layer.diff_id, size=4))
    assert known == layer
    assert "again" not in keys(overlay)


def test_a_layer_of_another_name_is_refused(overlay: Overlay) -> None:
    overlay.prepare("work", BASE_CHAIN)
    diff = change(overlay, "work")
    with pytest.raises(Conflict):
        overlay.sealing.seal("work", Seal(chain=diff, diff_id=diff, size=4))
    assert "work" in keys(overlay)
    with pytest.raises(KeyTaken):
        overlay.prepare("work", None)


def test_an_unknown_key(overlay: Overlay) -> None:
    with pytest.raises(NoSuchKey):
        overlay.sealing.seal("unknown", Seal(chain=BASE_CHAIN, diff_id=BASE_CHAIN, size=0))


def test_a_layer_can_be_built_upon_and_removed(overlay: Overlay, tmp_path: Path) -> None:
    chain = sealed(overlay)
    overlay.sealing.flush()
    overlay.remove(chain)
    overlay.close()
    assert not overlay.has(chain)
    assert not (tmp_path / "overlay2" / chain.value).exists()
    assert len(list((tmp_path / "overlay2" / "l").iterdir())) == 1


def test_many_at_once(overlay: Overlay) -> None:
    chains: dict[int, Digest] = {}

    def work(number: int) -> None:
        chains[number] = sealed(overlay, f"work{number}", f"file{number % 3}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(chains) == 12
    overlay.sealing.flush()
    assert all(overlay.has(chain) for chain in chains.values())
