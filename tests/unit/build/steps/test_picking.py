"""Which files a source means; nothing leads out of the tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.build.model import BuildFailed
from havre.build.steps.picking import leaver, pick


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    tree = tmp_path / "context"
    (tree / "sub" / "deep").mkdir(parents=True)
    (tree / "a[b]").mkdir()
    (tree / "a[b]" / "f.log").write_text("escaped")
    for name in ("a.txt", "b.txt", "c.md", "sub/d.txt", "sub/deep/e.txt", "we[ird"):
        (tree / name).write_text(name)
    (tree / "link").symlink_to("a.txt")
    (tree / "folder").symlink_to("sub")
    (tree / "out").symlink_to("/etc")
    (tree / "up").symlink_to("../../../..")
    (tmp_path / "secret").write_text("secret")
    (tree / "steal").symlink_to("../secret")
    handle = os.open(tree, os.O_RDONLY)
    yield handle
    os.close(handle)


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("a.txt", ["/a.txt"]),
        ("/a.txt", ["/a.txt"]),
        ("./sub/../a.txt", ["/a.txt"]),
        ("../../a.txt", ["/a.txt"]),
        (".", ["/"]),
        ("sub/", ["/sub"]),
        ("*.txt", ["/a.txt", "/b.txt"]),
        ("?.*", ["/a.txt", "/b.txt", "/c.md"]),
        ("s*/*.txt", ["/sub/d.txt"]),
        ("sub/*", ["/sub/d.txt", "/sub/deep"]),
        ("**/*.txt", ["/a.txt", "/b.txt", "/sub/d.txt", "/sub/deep/e.txt"]),
        ("[ab].txt", ["/a.txt", "/b.txt"]),
        ("we\\[ird", ["/we[ird"]),
        ("a\\[b\\]/*.l?g", ["/a[b]/f.log"]),
        ("a\\[b\\]/**/*.log", ["/a[b]/f.log"]),
        ("link", ["/link"]),
        ("sub/./deep", ["/sub/deep"]),
    ],
)
def test_paths(root: int, source: str, paths: list[str]) -> None:
    assert [one.path for one in pick(root, [source])] == paths


def test_what_it_is_once_links_are_followed(root: int) -> None:
    kinds = {one.path: one.is_folder for one in pick(root, ["link", "folder", "sub", "a.txt"])}
    assert kinds == {"/link": False, "/folder": True, "/sub": True, "/a.txt": False}


@pytest.mark.parametrize("source", ["nothing", "out", "steal", "a.txt/x", "up/etc/passwd"])
def test_what_is_not_there(root: int, source: str) -> None:
    with pytest.raises(BuildFailed, match="file not found in build context"):
        pick(root, [source])


def test_no_match(root: int) -> None:
    with pytest.raises(BuildFailed, match="no source files were specified"):
        pick(root, ["*.none"])


def test_the_pivot_of_parents(root: int) -> None:
    (one,) = pick(root, ["sub/./deep/e.txt"])
    assert one.path[one.pivot :] == "/deep/e.txt"


def test_exclude() -> None:
    leaves = leaver(["*.txt", "!b.txt", "node_modules"])
    assert leaves is not None
    assert [leaves(path) for path in ("a.txt", "b.txt", "node_modules/x", "c")] == [True, False, True, False]
    assert leaver([]) is None
