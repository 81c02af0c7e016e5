"""Which paths name a cgroup of ours."""

from __future__ import annotations

import pytest

from havre.kernel.cgroups.contract import InvalidCgroupPath
from havre.kernel.cgroups.control import checked_path


@pytest.mark.parametrize(("path", "name"), [("/havre/abc", "havre/abc"), ("a", "a"), ("/a/b/c/", "a/b/c")])
def test_a_path_below_the_top(path: str, name: str) -> None:
    assert checked_path(path) == name


@pytest.mark.parametrize("path", ["", "/", "//", "/..", "/a/../b", "/a//b", "/./a", "/a\nb", "/a\0b", "/" + "x" * 256])
def test_what_is_no_such_path(path: str) -> None:
    with pytest.raises(InvalidCgroupPath):
        checked_path(path)
