"""The record of a layer: it comes back as it was, or is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.oci.digest import Digest
from havre.snapshots import records
from havre.snapshots.contract import Layer

LAYER = Layer(Digest.of(b"c"), Digest.of(b"p"), Digest.of(b"d"), 123, "ABCDEF", own_root=True, opaque=False)


def test_round_trip(tmp_path: Path) -> None:
    assert records.load(tmp_path) is None
    records.save(tmp_path, LAYER)
    assert records.load(tmp_path) == LAYER
    records.save(tmp_path, Layer(LAYER.chain, None, LAYER.diff_id, 0, "A", own_root=False, opaque=True))
    loaded = records.load(tmp_path)
    assert loaded is not None
    assert loaded.parent is None


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    records.save(tmp_path, LAYER)
    path = tmp_path / records.RECORD
    sound = path.read_bytes()
    for at in range(len(sound)):
        damaged = bytearray(sound)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        try:
            assert records.load(tmp_path) == LAYER
        except records.DamagedRecord:
            continue


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"version":2,"checksum":"x","layer":{}}', b"x" * 70_000]
)
def test_anything_else_is_damaged(tmp_path: Path, data: bytes) -> None:
    (tmp_path / records.RECORD).write_bytes(data)
    with pytest.raises(records.DamagedRecord):
        records.load(tmp_path)
