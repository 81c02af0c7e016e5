"""OCI resources to the files of cgroup v2."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.cgroups.contract import Present
from havre.kernel.cgroups.plan_v2 import plan_v2
from havre.oci.runtime_spec import (
    BlockIO,
    CPULimits,
    DeviceRule,
    HugepageLimit,
    MemoryLimits,
    NetworkLimits,
    PidsLimit,
    RdmaLimit,
    Resources,
    ThrottleDevice,
    WeightDevice,
)

MIB = 1 << 20


def lines(resources: Resources, present: Present | None = None) -> list[tuple[str, str]]:
    return [(write.file, write.value) for write in plan_v2(resources, present or Present())]


def test_everything_at_once() -> None:
    resources = Resources(
        devices=[DeviceRule(allow=False)],
        memory=MemoryLimits(limit=64 * MIB, swap=128 * MIB, reservation=32 * MIB, disable_oom_killer=False),
        cpu=CPULimits(shares=1024, quota=50_000, period=100_000, cpus="0-1", mems="0", burst=1000),
        pids=PidsLimit(limit=100),
        block_io=BlockIO(
            weight=500,
            weight_device=[WeightDevice(major=8, minor=0, weight=1000)],
            throttle_read_bps_device=[ThrottleDevice(major=8, minor=0, rate=MIB)],
            throttle_write_iops_device=[ThrottleDevice(major=8, minor=16, rate=50)],
        ),
        hugepage_limits=[HugepageLimit(page_size="2MB", limit=4 * MIB)],
        rdma={"mlx5_0": RdmaLimit(hca_objects=20)},
        unified={"memory.high": "40000000", "io.max": "8:0 rbps=1\n8:16 rbps=2"},
    )
    assert lines(resources) == [
        ("memory.swap.max", str(64 * MIB)),
        ("memory.max", str(64 * MIB)),
        ("memory.low", str(32 * MIB)),
        ("cpu.max.burst", "1000"),
        ("cpu.weight", "39"),
        ("cpu.max", "50000 100000"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
        ("pids.max", "100"),
        ("io.bfq.weight", "500"),
        ("io.bfq.weight", "8:0 1000"),
        ("io.max", f"8:0 rbps={MIB}"),
        ("io.max", "8:16 wiops=50"),
        ("hugetlb.2MB.max", str(4 * MIB)),
        ("hugetlb.2MB.rsvd.max", str(4 * MIB)),
        ("rdma.max", "mlx5_0 hca_object=20"),
        ("memory.high", "40000000"),
        ("io.max", "8:0 rbps=1"),
        ("io.max", "8:16 rbps=2"),
    ]


@pytest.mark.parametrize(
    ("limit", "swap", "written"),
    [
        (64, 64, [("memory.swap.max", "0"), ("memory.max", "64")]),
        (64, -1, [("memory.swap.max", "max"), ("memory.max", "64")]),
        (-1, -1, [("memory.swap.max", "max"), ("memory.max", "max")]),
        (-1, None, [("memory.swap.max", "max"), ("memory.max", "max")]),
        (64, None, [("memory.max", "64")]),
        (None, -1, [("memory.swap.max", "max")]),
    ],
)
def test_swap_counts_apart(limit: int | None, swap: int | None, written: list[tuple[str, str]]) -> None:
    assert lines(Resources(memory=MemoryLimits(limit=limit, swap=swap))) == written


@pytest.mark.parametrize(("limit", "swap"), [(None, 64), (-1, 64), (128, 64)])
def test_a_sum_needs_a_part(limit: int | None, swap: int) -> None:
    with pytest.raises(InvalidInput, match="swap"):
        lines(Resources(memory=MemoryLimits(limit=limit, swap=swap)))


@pytest.mark.parametrize(
    "resources",
    [
        Resources(memory=MemoryLimits(disable_oom_killer=True)),
        Resources(cpu=CPULimits(realtime_runtime=1)),
        Resources(network=NetworkLimits(class_id=1)),
    ],
)
def test_what_only_v1_had_is_refused_by_name(resources: Resources) -> None:
    with pytest.raises(NotSupported, match="v2"):
        lines(resources)


@pytest.mark.parametrize(
    ("cpu", "present", "written"),
    [
        (CPULimits(quota=50_000), Present(), "50000 100000"),
        (CPULimits(period=50_000), Present(), "max 50000"),
        (CPULimits(period=50_000), Present(cpu_quota=20_000), "20000 50000"),
        (CPULimits(quota=-1), Present(cpu_quota=20_000, cpu_period=50_000), "max 50000"),
    ],
)
def test_half_of_cpu_max_keeps_the_other_half(cpu: CPULimits, present: Present, written: str) -> None:
    assert lines(Resources(cpu=cpu), present) == [("cpu.max", written)]


def test_a_burst_follows_the_quota_that_makes_room_for_it() -> None:
    found = lines(Resources(cpu=CPULimits(quota=50_000, burst=40_000)), Present(cpu_quota=10_000))
    assert [file for file, _ in found] == ["cpu.max", "cpu.max.burst"]


def test_an_idle_group_has_no_weight() -> None:
    assert lines(Resources(cpu=CPULimits(idle=1, shares=512))) == [("cpu.idle", "1")]


def test_weights_have_another_spelling() -> None:
    writes = plan_v2(
        Resources(block_io=BlockIO(weight=10, weight_device=[WeightDevice(major=8, minor=0, weight=1000)])), Present()
    )
    assert [write.instead for write in writes] == [(("io.weight", "default 1"),), (("io.weight", "8:0 10000"),)]


@pytest.mark.parametrize(
    "key",
    ["cgroup.procs", "cgroup.subtree_control", "../x.y", "memory", "memory/high", "", ".x", "memory.high\n", "a.b/c"],
)
def test_only_limits_are_unified_resources(key: str) -> None:
    with pytest.raises(InvalidInput, match="unified"):
        lines(Resources(unified={key: "1"}))


@pytest.mark.parametrize("limit", [0, -1])
def test_pids_without_limit(limit: int) -> None:
    assert lines(Resources(pids=PidsLimit(limit=limit))) == [("pids.max", "max")]


def test_swappiness_is_passed_over() -> None:
    assert lines(Resources(memory=MemoryLimits(swappiness=60))) == []
