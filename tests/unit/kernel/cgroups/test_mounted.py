"""Which hierarchies a mountinfo shows."""

from __future__ import annotations

import pytest

from havre.base.errors import NotSupported
from havre.kernel.cgroups.mounted import MountedTree, find_trees, open_trees

HYBRID = """\
22 1 0:20 / /sys rw - sysfs sysfs rw
30 22 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct
32 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
34 1 0:26 / /mnt/copy\\040of rw - cgroup cgroup rw,cpu,cpuacct
"""


def test_hybrid() -> None:
    assert find_trees(HYBRID) == [
        MountedTree("/sys/fs/cgroup/cpu,cpuacct", frozenset({"cpu", "cpuacct"}), "cpu,cpuacct"),
        MountedTree("/sys/fs/cgroup/systemd", frozenset(), "none,name=systemd"),
        MountedTree("/sys/fs/cgroup/unified", frozenset(), ""),
    ]


def test_v2_alone() -> None:
    assert find_trees("30 22 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n") == [
        MountedTree("/sys/fs/cgroup", frozenset(), "")
    ]


def test_a_copy_elsewhere_serves_when_it_is_the_only_one() -> None:
    (tree,) = find_trees("34 1 0:26 / /mnt/copy\\040of rw - cgroup cgroup rw,pids\n")
    assert tree.mount_point == "/mnt/copy of"


def test_none() -> None:
    with pytest.raises(NotSupported, match="no cgroup"):
        open_trees(find_trees("22 1 0:20 / /sys rw - sysfs sysfs rw\n"))
