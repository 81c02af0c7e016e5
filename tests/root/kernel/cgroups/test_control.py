"""The contract of Cgroups on this kernel: v1 as it is mounted, v2 in the unified tree beside it."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.base.errors import NotSupported
from havre.kernel.cgroups import CgroupInUse, Cgroups, NoSuchController, open_cgroups, open_doors, walk_in
from havre.kernel.cgroups.features import Feature, missing_features
from havre.kernel.cgroups.mounted import MountedTree, find_trees, open_trees
from havre.kernel.cgroups.naming import children
from havre.kernel.libc import KernelError
from havre.kernel.namespaces import clone3
from havre.oci.runtime_spec import BlockIO, CPULimits, DeviceRule, HugepageLimit, MemoryLimits, PidsLimit, Resources

pytestmark = pytest.mark.root

MIB = 1 << 20
TREES = find_trees(Path("/proc/self/mountinfo").read_text())


def only_v2() -> Cgroups:
    (tree,) = [tree for tree in TREES if not tree.options]
    return Cgroups(open_trees([MountedTree(tree.mount_point, frozenset(), "")]))


@pytest.fixture(params=["host", "v2"])
def cgroups(request: pytest.FixtureRequest) -> Iterator[Cgroups]:
    made = open_cgroups() if request.param == "host" else only_v2()
    unified = made.trees.unified
    given = set(unified.read(".", "cgroup.subtree_control").split()) if unified else set()
    yield made
    if unified:  # v2 on its own hands down what it has; the host's top is left as it was
        for word in set(unified.read(".", "cgroup.subtree_control").split()) - given:
            unified.write(".", "cgroup.subtree_control", f"-{word}")
    made.close()


@pytest.fixture
def top(cgroups: Cgroups) -> Iterator[str]:
    """A subtree of this test's own; what is left in it is killed and removed."""
    path = f"/havre-cg-test-{os.urandom(4).hex()}"
    yield path
    cgroups.kill(path)
    while True:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(-1, os.WNOHANG)[0] > 0:
                continue
        break
    cgroups.remove(path)
    assert not [tree for tree in cgroups.trees.every if tree.exists(path[1:])]


@pytest.fixture
def group(cgroups: Cgroups, top: str) -> str:
    path = f"{top}/one"
    cgroups.create(path)
    return path


def v1_only(cgroups: Cgroups) -> None:
    if cgroups.version != 1:
        pytest.skip("a file of cgroup v1")


@contextlib.contextmanager
def inside(cgroups: Cgroups, group: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    cgroups.join(group, process.pid)
    try:
        yield process
    finally:
        cgroups.kill(group)
        process.communicate()


def below_of(cgroups: Cgroups, group: str) -> str:
    """A group inside *group*, which holds processes already."""
    for tree in cgroups.trees.every:
        tree.make(f"{group[1:]}/below")
        for file in ("cpuset.cpus", "cpuset.mems"):
            if "cpuset" in tree.controllers:
                tree.write(f"{group[1:]}/below", file, tree.read(group[1:], file).strip())
    return f"{group}/below"


def answer_of(cgroups: Cgroups, group: str, code: str) -> tuple[str, int]:
    """What a Python program says that starts to run only once it is inside, and its exit status."""
    with inside(cgroups, group, sys.executable, "-c", f"input()\n{code}") as process:
        out, _ = process.communicate(b"\n")
        return out.decode(), process.returncode


def test_a_group_is_made_joined_left_and_removed(cgroups: Cgroups, top: str) -> None:
    path = f"{top}/a/b"
    cgroups.create(path)
    cgroups.create(path)
    with inside(cgroups, path, "cat") as process:
        assert cgroups.pids(path) == [process.pid]
        assert cgroups.pids(top) == [process.pid]
        with pytest.raises(CgroupInUse, match=str(process.pid)):
            cgroups.create(path)
        with pytest.raises(KernelError, match="rmdir"):
            cgroups.remove(path)
    cgroups.remove(path)
    cgroups.remove(path)
    assert cgroups.pids(path) == []


def test_a_child_born_inside_joins_the_rest_by_itself(cgroups: Cgroups, group: str) -> None:
    entered = cgroups.clone_fd(group)
    assert entered is not None
    ready, told = os.pipe()
    pid, pidfd = clone3(0, cgroup_fd=entered)
    if pid == 0:
        cgroups.join(group, cloned=True)
        os.write(told, b"x")
        signal.pause()
        os._exit(1)
    os.read(ready, 1)
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    try:
        for tree in cgroups.trees.every:
            controllers = tree.options.removeprefix("none,")
            assert f":{controllers}:{group}" in "\n".join(lines)
    finally:
        for handle in (entered, ready, told):
            os.close(handle)
        cgroups.kill(group)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        os.close(pidfd)


def test_doors_are_opened_by_one_who_is_outside_until_it_walks_in(cgroups: Cgroups, group: str) -> None:
    v1_only(cgroups)
    ready, told = os.pipe()
    asked, ask = os.pipe()
    pid, pidfd = clone3(0)
    if pid == 0:
        doors = open_doors(cgroups, group)
        os.write(told, b"x")
        os.read(asked, 1)
        walk_in(doors)
        os.write(told, b"x")
        signal.pause()
        os._exit(1)
    try:
        os.read(ready, 1)
        assert cgroups.pids(group) == []
        os.write(ask, b"x")
        os.read(ready, 1)
        lines = Path(f"/proc/{pid}/cgroup").read_text()
        assert all(
            f":{tree.options.removeprefix('none,')}:{group}" in lines for tree in cgroups.trees.controllers.values()
        )
    finally:
        for handle in (ready, told, asked, ask):
            os.close(handle)
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        os.close(pidfd)


def test_what_does_not_exist_is_no_error_to_kill_and_remove(cgroups: Cgroups, top: str) -> None:
    cgroups.kill(f"{top}/never")
    cgroups.remove(f"{top}/never")
    assert not cgroups.oom_killed(f"{top}/never")
    assert cgroups.pids(f"{top}/never") == []


def test_frozen_processes_stand_still(cgroups: Cgroups, group: str) -> None:
    with inside(cgroups, group, "cat") as process:
        assert process.stdin
        assert process.stdout
        cgroups.freeze(group)
        assert cgroups.is_frozen(group)
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 0.1)[0] == []
        cgroups.thaw(group)
        assert not cgroups.is_frozen(group)
        assert process.stdout.readline() == b"hello\n"
        cgroups.thaw(group)


@pytest.mark.parametrize("frozen", [False, True])
def test_kill_reaches_what_forks_and_what_hides_below(cgroups: Cgroups, group: str, *, frozen: bool) -> None:
    storm = "import os\nfor _ in range(4): os.fork()\nwhile True:\n  if os.fork() == 0: os._exit(0)\n  os.wait()"
    with (
        inside(cgroups, group, sys.executable, "-c", f"input()\n{storm}") as process,
        inside(cgroups, below_of(cgroups, group), "cat"),
    ):
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        while len(cgroups.pids(group)) < 10:
            pass
        if frozen:
            cgroups.freeze(group)
        cgroups.kill(group)
        assert process.wait() == -signal.SIGKILL
    cgroups.remove(group)


def test_another_signal_reaches_everyone_and_leaves_a_frozen_group_frozen(cgroups: Cgroups, group: str) -> None:
    with inside(cgroups, group, "cat") as one, inside(cgroups, group, "cat") as two:
        cgroups.freeze(group)
        cgroups.kill(group, signal.SIGTERM)
        assert cgroups.is_frozen(group)
        cgroups.thaw(group)
        assert one.wait() == two.wait() == -signal.SIGTERM


def test_the_plain_way_to_kill_serves_kernels_without_a_better_one(
    cgroups: Cgroups, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cgroups.trees.unified
    monkeypatch.setattr(cgroups.trees.unified, "exists", lambda *_: False)
    test_kill_reaches_what_forks_and_what_hides_below(cgroups, group, frozen=False)


def test_devices_are_those_allowed_and_no_others(cgroups: Cgroups, group: str, tmp_path: Path) -> None:
    """R-14: a node can be made by those who may, and opens only when a rule says so; updates do not widen."""
    rules = [
        DeviceRule(allow=False, type="a", access="rwm"),
        DeviceRule(allow=True, type="c", major=1, minor=3, access="rwm"),
        DeviceRule(allow=True, type="c", major=1, minor=5, access="r"),
        DeviceRule(allow=True, type="c", access="m"),
        DeviceRule(allow=True, type="b", access="m"),
        DeviceRule(allow=False, type="c", major=10, minor=229, access="rwm"),
    ]
    cgroups.apply(group, Resources(devices=rules))
    nodes = {"null": ("c", 1, 3), "zero": ("c", 1, 5), "mem": ("c", 1, 1), "sda": ("b", 8, 0), "fuse": ("c", 10, 229)}
    for name, (kind, major, minor) in nodes.items():
        mode = 0o600 | (stat.S_IFCHR if kind == "c" else stat.S_IFBLK)
        os.mknod(tmp_path / name, mode, os.makedev(major, minor))
    code = f"""
import os, errno, stat
def tried(name, flags):
    try: os.close(os.open({str(tmp_path)!r} + "/" + name, flags)); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
print(tried("null", os.O_RDWR), tried("zero", os.O_RDONLY), tried("zero", os.O_RDWR),
    tried("mem", os.O_RDONLY), tried("sda", os.O_RDONLY), tried("fuse", os.O_RDWR))
os.mknod({str(tmp_path)!r} + "/made", 0o600 | stat.S_IFBLK, os.makedev(8, 1))
print(tried("made", os.O_RDONLY))
"""
    expected = "ok ok EPERM EPERM EPERM EPERM\nEPERM\n"
    assert answer_of(cgroups, group, code) == (expected, 0)
    (tmp_path / "made").unlink()
    cgroups.apply(group, Resources(pids=PidsLimit(limit=0)) if cgroups.version == 1 else Resources())
    assert answer_of(cgroups, group, code) == (expected, 0)
    (tmp_path / "made").unlink()
    cgroups.apply(group, Resources(devices=[*rules, DeviceRule(allow=True, type="c", major=1, minor=5, access="w")]))
    cgroups.apply(group, Resources(devices=[*rules, DeviceRule(allow=True, type="c", major=1, minor=5, access="w")]))
    assert answer_of(cgroups, group, code)[0].split()[2] == "ok"
    (tmp_path / "made").unlink()
    cgroups.apply(group, Resources(devices=rules))
    assert answer_of(cgroups, group, code) == (expected, 0)


def test_limits_arrive_and_move_both_ways(cgroups: Cgroups, group: str) -> None:
    v1_only(cgroups)
    memory, cpu = cgroups.trees.controllers["memory"], cgroups.trees.controllers["cpu"]
    for limit, swap in ((64, 128), (256, 256), (32, 64), (32, 32), (512, -1), (16, 32), (-1, -1), (8, 8)):
        in_bytes = [value * MIB if value > 0 else value for value in (limit, swap)]
        cgroups.apply(group, Resources(memory=MemoryLimits(limit=in_bytes[0], swap=in_bytes[1])))
        found = [int(memory.read(group[1:], file)) for file in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")]
        assert [value if value < 1 << 60 else -1 for value in found] == in_bytes
    cgroups.apply(group, Resources(memory=MemoryLimits(limit=-1)))
    assert int(memory.read(group[1:], "memory.memsw.limit_in_bytes")) > 1 << 60
    for quota, period in ((50_000, 100_000), (5000, 10_000), (100_000, 50_000), (-1, 100_000), (1000, 1_000_000)):
        cgroups.apply(group, Resources(cpu=CPULimits(quota=quota, period=period, burst=0)))
        assert int(cpu.read(group[1:], "cpu.cfs_quota_us")) == quota
        assert int(cpu.read(group[1:], "cpu.cfs_period_us")) == period
    cgroups.apply(group, Resources(cpu=CPULimits(shares=512, cpus="0"), pids=PidsLimit(limit=7)))
    assert cpu.read(group[1:], "cpu.shares").strip() == "512"
    assert cgroups.trees.controllers["cpuset"].read(group[1:], "cpuset.cpus").strip() == "0"
    assert cgroups.stats(group).pids.limit == 7


def test_a_child_with_a_parent_s_quota_can_move_within_it(cgroups: Cgroups, group: str) -> None:
    v1_only(cgroups)
    cgroups.apply(group, Resources(cpu=CPULimits(quota=50_000, period=100_000)))
    child = f"{group}/child"
    cgroups.create(child)
    for quota, period in ((5000, 10_000), (50_000, 100_000), (500_000, 1_000_000), (1000, 2000)):
        cgroups.apply(child, Resources(cpu=CPULimits(quota=quota, period=period)))
    cgroups.remove(child)


def test_a_fresh_group_has_the_parent_s_cpus(cgroups: Cgroups, group: str) -> None:
    v1_only(cgroups)
    cpuset = cgroups.trees.controllers["cpuset"]
    assert cpuset.read(group[1:], "cpuset.cpus") == cpuset.read(".", "cpuset.cpus")
    assert cpuset.read(group[1:], "cpuset.mems") == cpuset.read(".", "cpuset.mems")


@pytest.mark.parametrize(
    ("resources", "value", "file"),
    [
        (Resources(cpu=CPULimits(cpus="4000")), "4000", "cpuset.cpus"),
        (Resources(cpu=CPULimits(cpus="0-2147483647")), "0-2147483647", "cpuset.cpus"),
        (Resources(cpu=CPULimits(quota=1)), "1", "cpu.cfs_quota_us"),
    ],
)
def test_what_the_kernel_refuses_is_told_with_file_and_value(
    cgroups: Cgroups, group: str, resources: Resources, value: str, file: str
) -> None:
    v1_only(cgroups)
    with pytest.raises(KernelError, match=f"write b?'{value}' to /sys/fs/cgroup/.*{group}/{file}"):
        cgroups.apply(group, resources)


def test_a_limit_without_controller_is_refused_by_name(
    cgroups: Cgroups, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cgroups.version == 1:
        monkeypatch.delitem(cgroups.trees.controllers, "blkio")
        wanted = Resources(block_io=BlockIO(weight=500))
        word = "a block IO weight was asked for, but this host's cgroup v1 has no controller blkio"
    else:
        if has_controller(cgroups, "memory"):
            pytest.skip("this host's cgroup v2 has the controllers")
        wanted = Resources(memory=MemoryLimits(limit=MIB))
        word = "a memory limit was asked for"
    with pytest.raises(NoSuchController, match=word):
        cgroups.apply(group, wanted)
    with pytest.raises(NotSupported):
        cgroups.apply(group, wanted)


def test_an_unwanted_limit_without_controller_passes(cgroups: Cgroups, group: str) -> None:
    wanted = Resources(
        memory=MemoryLimits(swap=-1, disable_oom_killer=False), pids=PidsLimit(limit=0), cpu=CPULimits(shares=0)
    )
    cgroups.apply(group, wanted)


def test_a_memory_hog_is_known(cgroups: Cgroups, group: str) -> None:
    v1_only(cgroups)
    cgroups.apply(group, Resources(memory=MemoryLimits(limit=16 * MIB, swap=16 * MIB)))
    assert not cgroups.oom_killed(group)
    assert answer_of(cgroups, group, f"x = bytearray({64 * MIB})") == ("", -signal.SIGKILL)
    assert cgroups.oom_killed(group)
    assert cgroups.stats(group).memory.limit == 16 * MIB


def test_figures_grow(cgroups: Cgroups, group: str) -> None:
    with inside(
        cgroups, group, sys.executable, "-c", "input()\nsum(range(10**6))\nprint(flush=True)\ninput()"
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        found = cgroups.stats(group)
    assert found.cpu.total_ns > 0
    if cgroups.version == 1:
        assert found.pids.current == 1
        assert found.memory.peak > 0


def test_a_failed_creation_leaves_nothing(cgroups: Cgroups, top: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise KernelError.of(errno.ENOSPC, f"prepare {path}")

    monkeypatch.setattr(cgroups._dialect, "prepare", fail)
    with pytest.raises(KernelError, match="prepare"):
        cgroups.create(f"{top}/one")
    assert not [tree for tree in cgroups.trees.every if tree.exists(f"{top[1:]}/one")]


def test_a_process_joins_where_the_others_went(cgroups: Cgroups, group: str) -> None:
    """A manager inside the container moved everyone one level down and handed controllers to it."""
    tree = cgroups.trees.unified
    if tree is None or cgroups.version == 1:
        pytest.skip("a rule of cgroup v2")
    tree.make(f"{group[1:]}/init.scope")
    words = tree.read(group[1:], "cgroup.controllers").split()
    if not words:
        pytest.skip("no controller in this v2 tree")
    with inside(cgroups, f"{group}/init.scope", "cat") as one:
        tree.write(group[1:], "cgroup.subtree_control", f"+{words[0]}")
        with inside(cgroups, group, "cat") as two:
            assert sorted(tree.pids(f"{group[1:]}/init.scope")) == sorted([one.pid, two.pid])
            tree.make(f"{group[1:]}/other")
            tree.write(f"{group[1:]}/other", "cgroup.procs", str(two.pid))
            for first, folder in ((one.pid, "init.scope"), (two.pid, "other")):
                entered = cgroups.clone_fd(group, first)
                assert entered is not None
                assert Path(f"/proc/self/fd/{entered}").readlink().name == folder
                os.close(entered)
        assert two.returncode == -signal.SIGKILL


def has_controller(cgroups: Cgroups, name: str) -> bool:
    unified = cgroups.trees.unified
    return name in cgroups.trees.controllers or (
        unified is not None and name in unified.read(".", "cgroup.controllers").split()
    )


def test_missing_features_are_named_and_no_probe_stays(cgroups: Cgroups, top: str) -> None:
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    cgroups.create(f"{top}/probe-{dead.pid}")
    missing = missing_features(cgroups, top)
    assert not children(cgroups, top)
    assert (Feature.MEMORY in missing) is not has_controller(cgroups, "memory")
    assert (Feature.OOM_KILL_DISABLE in missing) is (cgroups.version == 2)
    assert Feature.FREEZER not in missing


def test_the_view_of_a_container(cgroups: Cgroups, group: str) -> None:
    views = cgroups.mounts_for_container(group)
    for view in views:
        assert view.link or Path(view.source, "cgroup.procs").exists()
    if cgroups.version == 2:
        assert [(view.name, view.kind) for view in views] == [("", "cgroup2")]
    else:
        assert {view.options for view in views if not view.link} == {tree.options for tree in TREES if tree.options}


def test_huge_pages_are_limited_where_v2_has_them(cgroups: Cgroups, group: str) -> None:
    tree = cgroups.trees.unified
    if tree is None or "hugetlb" not in tree.read(".", "cgroup.controllers").split() or cgroups.version == 1:
        pytest.skip("no hugetlb controller on cgroup v2")
    cgroups.apply(group, Resources(hugepage_limits=[HugepageLimit(page_size="2MB", limit=4 * MIB)]))
    assert tree.read(group[1:], "hugetlb.2MB.max").strip() == str(4 * MIB)
    assert tree.read(group[1:], "hugetlb.2MB.rsvd.max").strip() == str(4 * MIB)
    cgroups.apply(group, Resources(unified={"hugetlb.2MB.max": str(2 * MIB), "cgroup.max.depth": "3"}))
    assert tree.read(group[1:], "hugetlb.2MB.max").strip() == str(2 * MIB)
    with pytest.raises(NoSuchController, match="huge pages"):
        cgroups.apply(group, Resources(hugepage_limits=[HugepageLimit(page_size="3MB", limit=1)]))
