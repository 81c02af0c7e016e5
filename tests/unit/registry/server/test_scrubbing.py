"""Scrubbing: damage is found and set aside, everything else stays."""

from __future__ import annotations

import io
import os
from pathlib import Path

from havre.content.store import Content
from havre.registry.server.scrubbing import scrub


def test_damage_of_every_kind_is_set_aside(tmp_path: Path) -> None:
    content = Content(tmp_path)
    stored = [content.ingest(io.BytesIO(os.urandom(2_500_000))).digest for _ in range(4)]
    sound, flipped, cut, longer = stored
    paths = {digest: tmp_path / "blobs" / "sha256" / digest.value for digest in stored}
    data = bytearray(paths[flipped].read_bytes())
    data[1_234_567] ^= 1
    paths[flipped].write_bytes(data)
    os.truncate(paths[cut], 1_000_000)
    with paths[longer].open("ab") as file:
        file.write(b"x")
    read: list[int] = []
    assert set(scrub(content, read.append)) == {flipped, cut, longer}
    assert content.digests() == (sound,)
    assert len(os.listdir(tmp_path / "lost+found")) == 3
    assert sum(read) >= 2_500_000
    assert scrub(content, read.append) == []
