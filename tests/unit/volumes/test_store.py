from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.volumes.model import Volume
from havre.volumes.store import Store


def test_what_was_made_is_there_after_a_restart(tmp_path: Path) -> None:
    root = tmp_path / "volumes"
    store = Store(root)
    assert store.open() == []
    volume = Volume(name="one", created_ns=5, labels={"a": "b"}, options={"type": "tmpfs"})
    store.add(volume)
    (store.path("one") / "file").write_text("kept")
    assert Store(root).open() == [volume]
    assert (store.path("one") / "file").read_text() == "kept"


def test_a_volume_is_never_made_over_another(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(Volume(name="one", created_ns=1))
    (store.path("one") / "file").write_text("kept")
    with pytest.raises(OSError, match="not empty"):
        store.add(Volume(name="one", created_ns=2))
    assert (store.path("one") / "file").read_text() == "kept"
    assert os.listdir(tmp_path) == ["one"]


def test_it_goes_with_its_content_and_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    store = Store(tmp_path / "volumes")
    store.open()
    store.add(Volume(name="one", created_ns=1))
    (store.path("one") / "link").symlink_to(outside)
    store.drop("one")
    store.drop("one")
    assert os.listdir(tmp_path / "volumes") == []
    assert (outside / "kept").exists()


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    for name in (".new-1", ".gone-2"):
        (tmp_path / name / "_data" / "deep").mkdir(parents=True)
    assert Store(tmp_path).open() == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("record", [b"", b"{", b'{"name":"other","created_ns":1}', b"\xff\xfe"])
def test_a_damaged_record_leaves_the_data_alone(tmp_path: Path, record: bytes) -> None:
    data = tmp_path / "one" / "_data"
    data.mkdir(parents=True)
    (data / "file").write_text("kept")
    (tmp_path / "one" / "volume.json").write_bytes(record)
    assert Store(tmp_path).open() == []
    assert (data / "file").read_text() == "kept"
