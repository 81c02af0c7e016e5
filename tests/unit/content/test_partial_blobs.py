from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.content.awaited import Awaited
from havre.content.errors import DigestMismatch
from havre.content.store import Content
from havre.oci.digest import Digest

DATA = os.urandom(300_000)
DIGEST = Digest.of(DATA)


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return Content(tmp_path / "content")


def test_over_several_lives(content: Content, tmp_path: Path) -> None:
    with content.lease() as lease, content.partial(DIGEST, lease) as first:
        assert first.kept == 0
        first.write(DATA[:100_000])
    again = Content(tmp_path / "content")
    with again.lease() as lease, again.partial(DIGEST, lease) as second:
        assert second.kept == 100_000
        replayed = b""
        while piece := second.replay(33_000):
            replayed += piece
        assert replayed == DATA[:100_000]
        second.write(DATA[100_000:])
        assert second.commit(DIGEST, len(DATA)).digest == DIGEST
    assert again.read_bytes(DIGEST, 1 << 20) == DATA


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA[:-1] + bytes([DATA[-1] ^ 1])])
def test_another_blob_is_not_kept(content: Content, data: bytes) -> None:
    with content.lease() as lease:
        with content.partial(DIGEST, lease) as blob:
            blob.write(data)
            with pytest.raises(DigestMismatch, match=str(DIGEST)):
                blob.commit(DIGEST, len(DATA))
        with content.partial(DIGEST, lease) as fresh:
            assert fresh.kept == 0
    assert not content.has(DIGEST)


def test_a_sweep_takes_what_nobody_awaits(content: Content) -> None:
    with content.lease() as lease, content.partial(DIGEST, lease) as blob:
        blob.write(b"x")
    word = content.awaited.begin([DIGEST])
    content.sweep(frozenset)
    with content.lease() as lease, content.partial(DIGEST, lease) as blob:
        assert blob.kept == 1
    content.awaited.end(word)
    content.sweep(frozenset)
    with content.lease() as lease, content.partial(DIGEST, lease) as blob:
        assert blob.kept == 0


def test_who_waits(tmp_path: Path) -> None:
    awaited = Awaited(tmp_path / "awaited")
    first, second = awaited.begin([DIGEST]), awaited.begin([Digest.of(b"2")])
    assert awaited.digests() == {DIGEST, Digest.of(b"2")}
    awaited.interrupted(first)
    assert DIGEST in awaited.digests()
    awaited.forget()
    assert awaited.digests() == {Digest.of(b"2")}
    awaited.end(second)
    assert awaited.digests() == frozenset()


def test_a_day_is_long_enough(tmp_path: Path) -> None:
    awaited = Awaited(tmp_path / "awaited")
    old = awaited.begin([DIGEST])
    os.utime(tmp_path / "awaited" / old, (0, 0))
    assert awaited.digests() == {DIGEST}
    awaited.interrupted(old)
    assert awaited.digests() == frozenset()


def test_an_end_ends_earlier_attempts(tmp_path: Path) -> None:
    awaited = Awaited(tmp_path / "awaited")
    awaited.interrupted(awaited.begin([DIGEST]))
    other = awaited.begin([Digest.of(b"2")])
    awaited.interrupted(other)
    awaited.end(awaited.begin([DIGEST, Digest.of(b"3")]))
    assert awaited.digests() == {Digest.of(b"2")}


def test_junk_names_nothing(tmp_path: Path) -> None:
    awaited = Awaited(tmp_path / "awaited")
    (tmp_path / "awaited" / "junk").write_bytes(b"\xff\nsha256:../x\n" + str(DIGEST).encode())
    assert awaited.digests() == {DIGEST}
