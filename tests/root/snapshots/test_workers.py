"""Large layers, which other processes unpack: the same comes of it, whatever becomes of them."""

from __future__ import annotations

import gzip
import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.base.errors import HavreError, ResourceExhausted, Unavailable
from havre.snapshots.budget import BadArchive
from havre.snapshots.contract import ParentMissing, View
from havre.snapshots.overlay import Overlay
from tests.root.snapshots.conftest import Store, chain_of
from tests.root.snapshots.test_full_disk import small_disk
from tests.support.tars import archive, file, folder, hardlink

pytestmark = pytest.mark.root

LOWER = archive(folder("etc", 0o711, uid=7), file("etc/base", b"from below", mode=0o640))
BIG = archive(folder("a"), *[file(f"a/f{n}", os.urandom(100_000), uid=n) for n in range(40)])
LEANING = archive(hardlink("etc/too", "etc/base"), file("etc/deep/er", b"x"), file("a", os.urandom(4_000_000)))
_DEADLINE_S = 30


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started."""
    pids: list[int] = []
    real: Callable[..., int] = os.posix_spawn

    def spawn(*words: object, **options: object) -> int:
        pids.append(real(*words, **options))
        return pids[-1]

    monkeypatch.setattr(os, "posix_spawn", spawn)
    return pids


class Acting(io.BytesIO):
    """A stream that does something on its way, three megabytes in."""

    def __init__(self, data: bytes, act: Callable[[], object]) -> None:
        super().__init__(data)
        self._act = act
        self._acted = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 3_000_000 and not self._acted:
            self._acted = True
            self._act()
        return super().read(min(size or 0, 100_000))


def staged(store: Store) -> list[str]:
    return os.listdir(store.root / "staging")


def test_the_same_comes_of_a_large_layer(store: Store, spawned: list[int]) -> None:
    store.layer(LOWER)
    assert spawned == []
    made, length = store.overlay.unpack(chain_of(None, BIG), None, io.BytesIO(gzip.compress(BIG, 1)))
    assert len(spawned) == 1
    assert (made.diff_id, made.size, length) == (chain_of(None, BIG), 4_000_000, len(BIG))
    diff = store.root / made.chain.value / "diff"
    assert sorted(os.listdir(diff / "a")) == sorted(f"f{n}" for n in range(40))
    assert [(diff / f"a/f{n}").stat().st_uid for n in range(40)] == list(range(40))


def test_it_takes_from_below_what_it_leans_on(store: Store, spawned: list[int]) -> None:
    below = store.layer(LOWER).chain
    top = store.layer(LEANING, below).chain
    assert len(spawned) == 1
    store.overlay.prepare("k", top)
    with store.overlay.mounted("k", View.WHOLE) as root:
        assert os.stat("etc", dir_fd=root).st_mode & 0o777 == 0o711
        assert os.stat("etc", dir_fd=root).st_uid == 7
        assert os.stat("etc/too", dir_fd=root).st_mode & 0o777 == 0o640
        assert os.stat("etc/deep", dir_fd=root).st_mode & 0o777 == 0o755
    store.overlay.discard("k")


def test_what_is_below_must_be_there(store: Store, spawned: list[int]) -> None:
    below = chain_of(None, LOWER)
    with pytest.raises(ParentMissing):
        store.layer(LEANING, below)
    assert staged(store) == []
    store.layer(LOWER)
    store.layer(LEANING, below)
    assert len(spawned) == 2


@pytest.mark.parametrize("bad", [BIG[:-70_000], BIG[:2_500_000] + os.urandom(600_000), gzip.compress(BIG)[:-9]])
def test_a_bad_archive_leaves_nothing(store: Store, bad: bytes) -> None:
    with pytest.raises(BadArchive):
        store.layer(bad)
    assert staged(store) == []
    store.layer(BIG)


def test_a_stream_that_breaks_off_is_the_error_of_its_reader(store: Store) -> None:
    def breaks() -> None:
        raise Unavailable("the body broke off")

    with pytest.raises(Unavailable, match="broke off"):
        store.overlay.unpack(chain_of(None, BIG), None, Acting(BIG, breaks))
    assert staged(store) == []
    store.layer(BIG)


def test_one_that_is_killed_at_work_is_told(store: Store, spawned: list[int]) -> None:
    def kill() -> None:
        os.kill(spawned[0], 9)

    with pytest.raises(Unavailable, match="was killed"):
        store.overlay.unpack(chain_of(None, BIG), None, Acting(BIG, kill))
    assert staged(store) == []
    store.layer(BIG)
    assert len(spawned) == 2


def test_one_that_died_at_rest_is_replaced(store: Store, spawned: list[int]) -> None:
    store.layer(BIG)
    os.kill(spawned[0], 9)
    os.waitid(os.P_PID, spawned[0], os.WEXITED | os.WNOWAIT)
    store.layer(LOWER)
    store.layer(LEANING, chain_of(None, LOWER))
    assert len(spawned) == 2


def test_beyond_one_a_processor_it_goes_without(store: Store, spawned: list[int]) -> None:
    """All wait for each other in the middle, so that all are at work at once."""
    count = max(2, os.cpu_count() or 1) + 2
    meeting = threading.Barrier(count)
    layers = [archive(file(f"f{n}", os.urandom(4_000_000))) for n in range(count)]
    failures: list[BaseException] = []

    def work(data: bytes) -> None:
        try:
            store.overlay.unpack(chain_of(None, data), None, Acting(data, lambda: meeting.wait(_DEADLINE_S)))
        except (HavreError, OSError, threading.BrokenBarrierError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(data,)) for data in layers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(spawned) == count - 2
    assert all(store.overlay.has(chain_of(None, data)) for data in layers)


def test_they_are_gone_after_a_while(store: Store, spawned: list[int]) -> None:
    store.layer(BIG)
    deadline = time.monotonic() + _DEADLINE_S
    while Path(f"/proc/{spawned[0]}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_full_disk_is_told(spawned: list[int]) -> None:
    with small_disk({"size": "3m"}) as disk:
        # The process finds the disk by the handles that it is given, as it would any other.
        overlay = Overlay(disk / "s")
        with pytest.raises(ResourceExhausted):
            overlay.unpack(chain_of(None, BIG), None, io.BytesIO(BIG))
        assert os.listdir(disk / "s" / "staging") == []
        overlay.close()
    assert len(spawned) == 1
