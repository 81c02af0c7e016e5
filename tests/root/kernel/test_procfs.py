"""K-03: what stands in place of a part of /proc is never taken for it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.kernel.files import SYSFS_MAGIC
from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountFlag, mount
from havre.kernel.namespaces import CLONE, unshare
from havre.kernel.procfs import KernelFolder, Proc, open_mounted_proc, open_proc, sysctl_path
from tests.support.forked import in_child

pytestmark = pytest.mark.root


def in_mount_namespace(body: Callable[[], None]) -> None:
    def inside() -> None:
        unshare(CLONE.NEWNS | CLONE.NEWUTS)
        mount("none", "/", flags=MountFlag.REC | MountFlag.PRIVATE)
        body()

    in_child(inside)


def refused(proc: Proc, path: str, *numbers: int) -> None:
    with pytest.raises(KernelError) as caught:
        proc.read(path)
    assert caught.value.errno in numbers, caught.value


def test_own_files_are_read_and_written() -> None:
    def body() -> None:
        proc = open_proc()
        assert not os.get_inheritable(proc.fd)
        assert proc.own_pid() == os.getpid()
        assert proc.read(f"{os.getpid()}/comm").decode() == Path("/proc/self/comm").read_text()
        proc.write_own("comm", b"renamed")
        assert Path("/proc/self/comm").read_text() == "renamed\n"
        proc.set_oom_score_adj(500)
        assert Path("/proc/self/oom_score_adj").read_text() == "500\n"
        proc.write_sysctl("kernel.domainname", "by.sysctl")
        assert Path("/proc/sys/kernel/domainname").read_text() == "by.sysctl\n"
        with pytest.raises(KernelError, match=r"write b'nonsense' to \d+/oom_score_adj: Invalid argument"):
            proc.write_own("oom_score_adj", b"nonsense")
        with pytest.raises(KernelError, match="longer than 3 bytes"):
            proc.read("meminfo", 3)

    in_mount_namespace(body)


def test_the_one_with_pids_alone_has_nothing_else() -> None:
    proc = open_proc(only_pids=True)
    try:
        assert proc.read(f"{os.getpid()}/comm")
        refused(proc, "meminfo", errno.ENOENT)
    finally:
        proc.close()


def test_a_tmpfs_over_proc_is_refused_and_does_not_matter(tmp_path: Path) -> None:
    def body() -> None:
        (tmp_path / "fake").mkdir()
        mount("tmpfs", "/proc", "tmpfs")
        with pytest.raises(KernelError) as caught:
            open_mounted_proc()
        assert caught.value.errno == errno.EXDEV
        proc = open_proc()
        assert proc.read(f"{os.getpid()}/status").startswith(b"Name:")

    in_mount_namespace(body)


def test_a_link_to_proc_is_refused(tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    with pytest.raises(KernelError) as caught:
        open_mounted_proc(tmp_path / "proc")
    assert caught.value.errno in {errno.ELOOP, errno.EXDEV, errno.ENOTDIR}


def test_a_proc_file_bound_over_another_is_refused() -> None:
    def body() -> None:
        pid = os.getpid()
        mount("/proc/sys/kernel/domainname", f"/proc/{pid}/oom_score_adj", flags=MountFlag.BIND)
        mounted = open_mounted_proc()
        refused(mounted, f"{pid}/oom_score_adj", errno.EXDEV)
        with pytest.raises(KernelError) as caught:
            mounted.set_oom_score_adj(7)
        assert caught.value.errno == errno.EXDEV
        open_proc().set_oom_score_adj(7)
        assert Path("/proc/sys/kernel/domainname").read_text() != "7\n"

    in_mount_namespace(body)


def test_a_file_system_over_a_part_is_refused(tmp_path: Path) -> None:
    def body() -> None:
        mount("tmpfs", "/proc/sys", "tmpfs")
        Path("/proc/sys/kernel").mkdir()
        Path("/proc/sys/kernel/domainname").write_text("fake")
        mounted = open_mounted_proc()
        refused(mounted, "sys/kernel/domainname", errno.EXDEV)
        mount("tmpfs", f"/proc/{os.getpid()}/attr", "tmpfs")
        refused(mounted, f"{os.getpid()}/attr/current", errno.EXDEV)

    in_mount_namespace(body)


def test_links_in_place_of_parts_are_refused() -> None:
    proc = open_proc()
    try:
        for path in ("self/comm", "thread-self/comm", "mounts", "net/dev"):
            refused(proc, path, errno.ELOOP)
        pid = os.getpid()
        for path in (f"{pid}/exe", f"{pid}/root/etc/passwd", f"{pid}/cwd", f"{pid}/fd/0", f"{pid}/ns/mnt"):
            refused(proc, path, errno.ELOOP)
        for path in ("../etc/passwd", "/etc/passwd", "sys/../../etc/passwd", ".."):
            refused(proc, path, errno.EXDEV)
    finally:
        proc.close()


def test_other_kernel_file_systems_go_the_same_way() -> None:
    handle = os.open("/sys", os.O_PATH | os.O_DIRECTORY)
    folder = KernelFolder(handle, SYSFS_MAGIC)
    assert folder.read("kernel/mm/transparent_hugepage/enabled")
    with pytest.raises(KernelError):
        folder.read("fs/cgroup/cgroup.procs")
    with pytest.raises(KernelError):
        Proc(handle)
    folder.close()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("hostname", "hostname"),
    ],
)
def test_sysctl_names(name: str, path: str) -> None:
    assert sysctl_path(name) == path


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a..b", "/a", "a/", "net/../kernel/x", "net/./x", "a\nb", "a\0b", "kernel.//..", "a/../../b"],
)
def test_sysctl_names_out_of_form(name: str) -> None:
    with pytest.raises(KernelError) as caught:
        sysctl_path(name)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("value", ["1\n2", "a\0b"])
def test_sysctl_values_out_of_form(value: str) -> None:
    proc = open_proc()
    try:
        with pytest.raises(KernelError, match="value"):
            proc.write_sysctl("kernel.domainname", value)
    finally:
        proc.close()
