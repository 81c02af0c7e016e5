"""The cache tells what was made by what went into it, and never what is gone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.build.cache import LAYER_TYPE, Cache, CacheRecord, record_of
from havre.build.model import LayerMade
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


def layer(chain: Digest, diff: Digest | None = None) -> LayerMade:
    diff = diff or chain
    return LayerMade(
        chain=chain, diff=diff, blob=Descriptor(media_type=LAYER_TYPE, digest=str(diff), size=10), size_bytes=5
    )


@pytest.fixture
def sealed() -> set[Digest]:
    return {ONE, TWO}


@pytest.fixture
def make(tmp_path: Path, sealed: set[Digest]) -> Callable[[], Cache]:
    def made() -> Cache:
        cache = Cache(tmp_path / "cache.db", lambda chain: chain in sealed)
        cache.open()
        return cache

    return made


def test_a_record_survives_once_it_is_saved(make: Callable[[], Cache]) -> None:
    cache = make()
    cache.put(record_of("k", "run", "RUN x", layer(ONE), None))
    assert make().find("k") is None
    cache.save()
    found = make().find("k")
    assert found is not None
    assert found.layer() == layer(ONE)


def test_a_record_without_its_layer_counts_for_nothing(make: Callable[[], Cache], sealed: set[Digest]) -> None:
    cache = make()
    cache.put(record_of("k", "run", "RUN x", layer(ONE), None))
    cache.save()
    sealed.clear()
    assert cache.find("k") is None
    assert make().all() == ()


def test_what_records_stand_on_is_needed(make: Callable[[], Cache]) -> None:
    cache = make()
    cache.put(record_of("a", "run", "", layer(ONE), None))
    cache.put(record_of("b", "run", "", layer(ONE), None))
    cache.hold(TWO, TWO)
    assert cache.needed().chains == {ONE, TWO}
    cache.remove(["a"])
    assert cache.needed().blobs == {ONE, TWO}
    cache.release([(TWO, TWO)])
    cache.remove(["b", "unknown"])
    assert cache.needed().chains == frozenset()


def test_a_damaged_file_is_no_reason_not_to_start(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"not a database at all, and long enough to be looked at")
    cache = Cache(tmp_path / "cache.db", lambda _: True)
    cache.open()
    assert cache.all() == ()
    cache.put(record_of("k", "settings", "", None, None))
    cache.save()


async def test_what_two_want_is_made_once(make: Callable[[], Cache]) -> None:
    cache, made, go = make(), [], asyncio.Event()

    async def work() -> CacheRecord:
        made.append(1)
        await go.wait()
        return record_of("k", "run", "", None, None)

    tasks = [asyncio.get_running_loop().create_task(cache.once("k", work)) for _ in range(3)]
    await asyncio.sleep(0)
    go.set()
    answers = await asyncio.gather(*tasks)
    assert len(made) == 1
    assert sorted(cached for _, cached in answers) == [False, True, True]


async def test_a_failure_is_not_kept_and_the_next_one_tries(make: Callable[[], Cache]) -> None:
    cache, tries = make(), []

    async def work() -> CacheRecord:
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise ValueError
        return record_of("k", "run", "", None, None)

    first, second = await asyncio.gather(cache.once("k", work), cache.once("k", work), return_exceptions=True)
    assert isinstance(first, ValueError)
    assert isinstance(second, tuple)
    assert second[1] is False


async def test_fresh_does_not_ask(make: Callable[[], Cache]) -> None:
    cache = make()
    cache.put(record_of("k", "settings", "old", None, None))

    async def work() -> CacheRecord:
        return record_of("k", "settings", "new", None, None)

    record, cached = await cache.once("k", work, fresh=True)
    assert (record.text, cached) == ("new", False)


def test_what_cannot_be_written_is_for_the_next_time(
    make: Callable[[], Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make()
    cache.put(record_of("old", "run", "RUN x", layer(ONE), None))
    cache.save()
    cache.put(record_of("k", "settings", "", None, None))

    def full(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", full)
        cache.save()
        cache.remove(["old"])
    assert cache.needed().chains == frozenset()
    assert {record.key for record in make().all()} == {"old"}
    cache.save()
    assert {record.key for record in make().all()} == {"k"}
