"""What every store of file trees must do (snapshots.contract), asked of each that there is."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.oci.digest import Digest
from havre.snapshots.contract import KeyTaken, LayerInUse, NoSuchKey, NoSuchLayer, Snapshots, View
from havre.snapshots.overlay import Overlay
from tests.support.tars import archive, file, folder

pytestmark = pytest.mark.root

LOWER = archive(folder("./", mode=0o750), folder("d"), file("d/a", b"lower"), file("gone", b"x" * 1000))
UPPER = archive(folder("d"), file("d/b", b"upper"), file(".wh.gone"))


def digest(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


ONE = digest(LOWER)
TWO = digest(f"{ONE} {digest(UPPER)}".encode())
UNKNOWN = digest(b"unknown")


def overlay(root: Path) -> tuple[Snapshots, Callable[[], None]]:
    made = Overlay(root / "overlay2")
    return made, made.close


@pytest.fixture(params=[overlay], ids=lambda make: make.__name__)
def snapshots(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Snapshots]:
    made, close = request.param(tmp_path)
    yield made
    close()


@pytest.fixture
def two(snapshots: Snapshots) -> Snapshots:
    snapshots.unpack(ONE, None, io.BytesIO(LOWER))
    snapshots.unpack(TWO, ONE, io.BytesIO(UPPER))
    return snapshots


def content(snapshots: Snapshots, key: str, path: str, view: View = View.WHOLE) -> bytes | None:
    with snapshots.mounted(key, view) as root:
        try:
            handle = os.open(path, os.O_RDONLY, dir_fd=root)
        except FileNotFoundError:
            return None
        try:
            return os.read(handle, 1 << 16)
        finally:
            os.close(handle)


def test_a_layer_tells_what_it_is(snapshots: Snapshots) -> None:
    layer, length = snapshots.unpack(ONE, None, io.BytesIO(LOWER))
    assert length == len(LOWER)
    assert (layer.chain, layer.parent, layer.diff_id, layer.size) == (ONE, None, digest(LOWER), 1005)
    layer, length = snapshots.unpack(TWO, ONE, io.BytesIO(gzip.compress(UPPER)))
    assert length == len(UPPER)
    assert (layer.chain, layer.parent, layer.diff_id, layer.size) == (TWO, ONE, digest(UPPER), 5)
    assert snapshots.has(TWO)


def test_a_sealed_layer_is_not_read_again(two: Snapshots) -> None:
    class Unreadable:
        def read(self, size: int, /) -> bytes:
            raise AssertionError(f"{size} bytes wanted")

    assert two.unpack(ONE, None, Unreadable()).layer.size == 1005


def test_layers_may_come_in_any_order(snapshots: Snapshots) -> None:
    snapshots.unpack(TWO, ONE, io.BytesIO(UPPER))
    assert not snapshots.has(TWO)
    with pytest.raises(NoSuchLayer):
        snapshots.prepare("k", TWO)
    snapshots.unpack(ONE, None, io.BytesIO(LOWER))
    assert snapshots.has(TWO)


def test_the_archive_must_be_the_one_the_chain_names(snapshots: Snapshots) -> None:
    for chain, parent, data in (
        (ONE, None, UPPER),
        (TWO, None, UPPER),
        (TWO, UNKNOWN, UPPER),
        (ONE, None, LOWER + b"x"),
    ):
        with pytest.raises(InvalidInput):
            snapshots.unpack(chain, parent, io.BytesIO(data))
        assert not snapshots.has(chain)


def test_a_stream_that_fails_leaves_nothing(snapshots: Snapshots) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(min(size or 0, 1024))
            if not data:
                raise ConnectionResetError("gone")
            return data

    with pytest.raises(ConnectionResetError):
        snapshots.unpack(ONE, None, Breaking(LOWER))
    assert not snapshots.has(ONE)
    snapshots.unpack(ONE, None, io.BytesIO(LOWER))
    assert snapshots.has(ONE)


def test_unpacking_one_chain_from_many_threads(snapshots: Snapshots) -> None:
    sizes: list[int] = []

    def work() -> None:
        sizes.append(snapshots.unpack(ONE, None, io.BytesIO(LOWER)).layer.size)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [1005] * 8


def test_the_whole_tree_and_its_parts(two: Snapshots) -> None:
    two.prepare("k", TWO)
    assert content(two, "k", "d/a") == b"lower"
    assert content(two, "k", "d/b") == b"upper"
    assert content(two, "k", "gone") is None
    with two.mounted("k") as root:
        assert os.fstat(root).st_mode & 0o7777 == 0o750
        with pytest.raises(OSError, match="Read-only"):
            os.mkdir("x", dir_fd=root)
    with two.mounted("k", View.WRITABLE) as root:
        os.mkdir("new", dir_fd=root)
        handle = os.open("new/file", os.O_CREAT | os.O_WRONLY, dir_fd=root)
        os.write(handle, b"12345")
        os.close(handle)
    assert content(two, "k", "new/file") == b"12345"
    assert content(two, "k", "new/file", View.OWN) == b"12345"
    assert content(two, "k", "new/file", View.BELOW) is None
    assert content(two, "k", "d/b", View.BELOW) == b"upper"
    assert content(two, "k", "d/b", View.OWN) is None
    assert two.usage("k") == 5


def test_trees_in_work_do_not_meet(two: Snapshots) -> None:
    two.prepare("one", TWO)
    two.prepare("two", TWO)
    with two.mounted("one", View.WRITABLE) as root:
        os.unlink("d/a", dir_fd=root)
    assert content(two, "one", "d/a") is None
    assert content(two, "two", "d/a") == b"lower"


def test_a_tree_on_nothing(snapshots: Snapshots) -> None:
    mounts = snapshots.prepare("k", None)
    assert mounts == snapshots.mounts("k")
    with snapshots.mounted("k", View.WRITABLE) as root:
        assert os.listdir(root) == []
        assert os.fstat(root).st_mode & 0o7777 == 0o755
        os.mkdir("x", dir_fd=root)
    with snapshots.mounted("k") as root:
        assert os.listdir(root) == ["x"]
    with snapshots.mounted("k", View.BELOW) as root:
        assert os.listdir(root) == []


def test_a_key_is_taken_until_it_is_discarded(two: Snapshots) -> None:
    two.prepare("k", ONE)
    with pytest.raises(KeyTaken):
        two.prepare("k", TWO)
    two.discard("k")
    two.prepare("k", TWO)
    assert content(two, "k", "d/b") == b"upper"


def test_a_released_key_holds_no_layer_and_is_taken_until_it_is_discarded(two: Snapshots) -> None:
    two.prepare("k", TWO)
    two.discard("k", files=False)
    two.remove(TWO)
    assert not two.has(TWO)
    with pytest.raises(KeyTaken):
        two.prepare("k", ONE)
    two.discard("k")
    two.prepare("k", ONE)
    assert content(two, "k", "d/a") == b"lower"


def test_forgetting_what_is_unknown_is_no_error(snapshots: Snapshots) -> None:
    snapshots.discard("unknown", files=False)
    snapshots.discard("unknown")
    snapshots.remove(UNKNOWN)


def test_an_unknown_key_or_chain(snapshots: Snapshots) -> None:
    for ask in (snapshots.mounts, snapshots.usage):
        with pytest.raises(NoSuchKey):
            ask("unknown")
    with pytest.raises(NoSuchKey), snapshots.mounted("unknown"):
        pass
    with pytest.raises(NoSuchLayer):
        snapshots.prepare("k", UNKNOWN)
    assert not snapshots.has(UNKNOWN)


@pytest.mark.parametrize(
    "key", ["", ".", "..", "a/b", "/abs", "-x", ".hidden", "l", "empty", "a\0b", "x" * 129, "é", "a b"]
)
def test_a_key_is_a_name_of_one_component(snapshots: Snapshots, key: str) -> None:
    with pytest.raises(InvalidInput):
        snapshots.prepare(key, None)
    snapshots.discard(key)


def test_what_is_stood_on_cannot_be_removed(two: Snapshots) -> None:
    two.prepare("k", TWO)
    with pytest.raises(LayerInUse):
        two.remove(ONE)
    with pytest.raises(LayerInUse):
        two.remove(TWO)
    two.discard("k")
    with pytest.raises(LayerInUse):
        two.remove(ONE)
    two.remove(TWO)
    two.remove(ONE)
    assert not two.has(ONE)
    two.unpack(ONE, None, io.BytesIO(LOWER))
    assert two.has(ONE)
