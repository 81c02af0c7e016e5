"""The digest of files: contents and metadata, never times."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.build.steps.checksum import SumWishes, checksum
from havre.build.steps.picking import leaver, pick


def total(tree: Path, *sources: str, excludes: tuple[str, ...] = (), owners: bool = False, paths: bool = False) -> str:
    handle = os.open(tree, os.O_RDONLY)
    try:
        return checksum(handle, pick(handle, sources or (".",)), SumWishes(leaver(excludes), owners, paths))
    finally:
        os.close(handle)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub" / "b").write_text("b")
    (tmp_path / "link").symlink_to("a")
    return tmp_path


def test_times_do_not_count(tree: Path) -> None:
    before = total(tree)
    for path in (tree / "a", tree / "sub", tree / "sub" / "b"):
        os.utime(path, (1, 1))
    assert total(tree) == before


def relink(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("content", lambda tree: (tree / "a").write_text("b")),
    ("longer", lambda tree: (tree / "a").write_text("aa")),
    ("name", lambda tree: (tree / "a").rename(tree / "z")),
    ("mode", lambda tree: (tree / "a").chmod(0o755)),
    ("folder mode", lambda tree: (tree / "sub").chmod(0o700)),
    ("moved", lambda tree: (tree / "a").rename(tree / "sub" / "a")),
    ("link", lambda tree: relink(tree / "link", "sub")),
    ("gone", lambda tree: (tree / "link").unlink()),
    ("more", lambda tree: (tree / "c").touch()),
    ("empty folder", lambda tree: (tree / "d").mkdir()),
    ("hard link", lambda tree: (tree / "c").hardlink_to(tree / "a")),
    ("fifo", lambda tree: os.mkfifo(tree / "p")),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
def test_everything_else_counts(tree: Path, change: Callable[[Path], object]) -> None:
    before = total(tree)
    change(tree)
    assert total(tree) != before


def test_a_boundary_between_files_cannot_be_moved(tree: Path) -> None:
    (tree / "x").write_text("ab")
    (tree / "y").write_text("c")
    before = total(tree, "x", "y")
    (tree / "x").write_text("a")
    (tree / "y").write_text("bc")
    assert total(tree, "x", "y") != before


def test_the_order_and_the_names_of_sources_count(tree: Path) -> None:
    assert total(tree, "a", "sub") != total(tree, "sub", "a")
    (tree / "other").write_text("a")
    assert total(tree, "a") != total(tree, "other")


def test_the_name_of_a_folder_does_not_count_since_its_contents_are_copied(tree: Path) -> None:
    before = total(tree, "sub")
    os.utime(tree / "sub", (5, 5))
    assert total(tree, "sub") == before


def test_what_is_excluded_does_not_count(tree: Path) -> None:
    before = total(tree, ".", excludes=("sub/b",))
    (tree / "sub" / "b").write_text("changed")
    assert total(tree, ".", excludes=("sub/b",)) == before


def test_owners_count_only_where_they_are_kept(tree: Path) -> None:
    plain, kept = total(tree), total(tree, owners=True)
    os.chown(tree / "a", 5, 6)
    assert total(tree) == plain
    assert total(tree, owners=True) != kept


def test_where_a_pattern_found_a_file_counts_where_its_path_is_repeated(tree: Path) -> None:
    (tree / "one").mkdir()
    (tree / "one" / "f").write_text("f")
    plain, repeated = total(tree, "*/f"), total(tree, "*/f", paths=True)
    (tree / "one").rename(tree / "two")
    assert total(tree, "*/f") == plain
    assert total(tree, "*/f", paths=True) != repeated
