"""Walking: in order, any depth, never out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.snapshots.walk import PathTooLong, TreeChanged, tree_size, walk
from tests.unit.snapshots.test_removal import deep_tree, remove


def paths(root: Path) -> list[str]:
    handle = os.open(root, os.O_RDONLY)
    try:
        return [os.fsdecode(found.path) for found in walk(handle)]
    finally:
        os.close(handle)


def test_by_name_a_folder_before_its_entries(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "d").touch()
    (tmp_path / "b.x").touch()
    (tmp_path / "a").symlink_to("/")
    (tmp_path / "e").mkdir()
    assert paths(tmp_path) == ["a", "b", "b/c", "b/c/d", "b.x", "e"]


def test_depth_costs_one_handle(tmp_path: Path) -> None:
    deep_tree(tmp_path / "deep", 1500)
    handle = os.open(tmp_path, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    most = max(len(os.listdir("/proc/self/fd")) for found in walk(handle, longest=0) if found.name == b"f")
    assert tree_size(handle) == 0
    with pytest.raises(PathTooLong):
        list(walk(handle, longest=1000))
    os.close(handle)
    assert most <= before + 2
    remove(tmp_path, "deep")


def test_a_folder_moved_away_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "root" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "a" / "z").touch()
    handle = os.open(tmp_path / "root", os.O_RDONLY)
    seen: list[bytes] = []

    def look() -> None:
        for found in walk(handle):
            seen.append(found.path)
            if found.path == b"a/b/c":
                (tmp_path / "root" / "a" / "b").rename(tmp_path / "outside" / "b")

    try:
        with pytest.raises(TreeChanged):
            look()
    finally:
        os.close(handle)
    assert b"outside" not in b"".join(seen)


def test_sizes_count_a_linked_file_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "c").write_bytes(b"y" * 7)
    (tmp_path / "s").symlink_to("a")
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        assert tree_size(handle) == 107
    finally:
        os.close(handle)
