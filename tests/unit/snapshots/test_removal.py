"""Removing trees: links stay unfollowed, depth costs no handles, the bin empties itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.kernel.removing import remove_tree
from havre.snapshots.removal import Bin


def remove(parent: Path, name: str) -> None:
    handle = os.open(parent, os.O_RDONLY)
    try:
        remove_tree(handle, name)
    finally:
        os.close(handle)


def deep_tree(root: Path, depth: int) -> None:
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(outside)
    (tree / "a" / "b" / "up").symlink_to("../../..")
    os.mkfifo(tree / "fifo")
    remove(tmp_path, "tree")
    assert [p.name for p in tmp_path.iterdir()] == ["outside"]
    assert (outside / "file").read_text() == "stays"
    remove(tmp_path, "tree")  # gone already
    (tmp_path / "link").symlink_to(outside)
    remove(tmp_path, "link")
    assert (outside / "file").exists()


def test_a_very_deep_tree_goes_with_few_handles(tmp_path: Path) -> None:
    deep_tree(tmp_path / "deep", 3000)
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 60, before[1]))
    try:
        remove(tmp_path, "deep")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_bin_empties_itself_and_what_was_left_in_it(tmp_path: Path) -> None:
    (tmp_path / "bin" / "left" / "x").mkdir(parents=True)
    bin_ = Bin(tmp_path / "bin")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    bin_.put(tree)
    assert not tree.exists()
    bin_.empty()
    bin_.close()
    assert list((tmp_path / "bin").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        bin_.put(tree)
    bin_.close()
