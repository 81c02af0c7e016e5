"""Paths as Docker's archive calls understand them, and what stands at them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.snapshots.path_stat import absolute, base_name, stat_path
from havre.snapshots.take_out import expand

DIR, LINK, STICKY = 1 << 31, 1 << 27, 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/x.log").write_text("x")
    (tmp_path / "d/e/.y.log").write_text("y")
    (tmp_path / "d").chmod(0o1777)
    (tmp_path / "abs").symlink_to("/d/e/x.log")
    (tmp_path / "up").symlink_to("../../../d")
    (tmp_path / "dangling").symlink_to("d/none")
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield handle
    os.close(handle)


@pytest.mark.parametrize(
    ("given", "path", "base"),
    [
        ("a", "/a", "a"),
        ("/a/", "/a/", "a"),
        ("/a/.", "/a/.", "."),
        (".", "/.", "."),
        ("/", "/", "/"),
        ("/a/../../b", "/b", "b"),
        ("//a//b", "/a/b", "b"),
        ("/../../..", "/", "/"),
    ],
)
def test_paths_from_the_root_on(given: str, path: str, base: str) -> None:
    assert absolute(given) == path
    assert base_name(path) == base


def test_links_lead_no_further_than_the_root(root: int) -> None:
    found = {name: stat_path(root, f"/{name}") for name in ("abs", "up", "dangling", "d")}
    assert found["abs"].link_target == "/d/e/x.log"
    assert found["up"].link_target == "/d"
    assert found["dangling"].link_target == "/d/none"
    assert found["abs"].mode & LINK
    assert found["d"].mode == DIR | STICKY | 0o777
    assert stat_path(root, "/up/").mode & DIR
    with pytest.raises(KernelError):
        stat_path(root, "/none")


def test_patterns_are_expanded_inside_the_root(root: int) -> None:
    assert expand(root, "/d/*/*.log") == ["/d/e/x.log"]
    assert expand(root, "/d/e/.*") == ["/d/e/.y.log"]
    assert expand(root, "/up/e/?.log") == ["/up/e/x.log"]
    assert expand(root, "/none/*") == []
