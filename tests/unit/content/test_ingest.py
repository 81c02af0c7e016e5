"""The writer, apart from the store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput, ResourceExhausted
from havre.content.ingest import BlobWriter
from havre.oci.digest import Digest


def test_bytes_are_read_again_when_another_algorithm_is_expected(tmp_path: Path) -> None:
    with BlobWriter(tmp_path / "s", lambda digest: tmp_path / digest.value) as blob:
        blob.write(b"x")
        with pytest.raises(InvalidInput):
            blob.commit(Digest("sha512", "0" * 128))
    assert list(tmp_path.iterdir()) == []
    expected = Digest("sha512", hashlib.sha512(b"xy").hexdigest())
    with BlobWriter(tmp_path / "s", lambda digest: tmp_path / digest.value) as blob:
        blob.write(b"xy")
        assert blob.commit(expected, 2).digest == expected
    assert (tmp_path / expected.value).read_bytes() == b"xy"


def test_any_buffer_is_taken_whole(tmp_path: Path) -> None:
    with BlobWriter(tmp_path / "s", lambda digest: tmp_path / digest.value) as blob:
        assert blob.write(bytearray(b"ab")) + blob.write(memoryview(b"cd")) + blob.write(b"") == 4
        stored = blob.commit()
    assert (tmp_path / stored.digest.value).read_bytes() == b"abcd"


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)

    def store() -> None:
        with BlobWriter(tmp_path / "s", lambda digest: tmp_path / digest.value) as blob:
            blob.write(b"x")
            blob.commit()

    with pytest.raises(ResourceExhausted):
        store()
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
