"""The reader is an ordinary stream."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from havre.content.errors import DamagedBlob
from havre.content.store import Content


def test_buffered_readers_can_stand_on_it(tmp_path: Path) -> None:
    content = Content(tmp_path)
    data = b"line one\nline two\n" * 5000
    digest = content.ingest(io.BytesIO(data)).digest
    with io.BufferedReader(content.open(digest)) as lines:
        assert b"".join(lines) == data
    blob = content.open(digest)
    blob.close()
    blob.close()
    assert blob.closed


def test_a_blob_that_grows_while_it_is_read(tmp_path: Path) -> None:
    content = Content(tmp_path)
    digest = content.ingest(io.BytesIO(b"12345")).digest
    with content.open(digest) as blob:
        blob.read(2)
        with (tmp_path / "blobs/sha256" / digest.value).open("ab") as file:
            file.write(b"6")
        with pytest.raises(DamagedBlob):
            blob.readall()
