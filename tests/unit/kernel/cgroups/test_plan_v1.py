"""OCI resources to the files of cgroup v1."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.cgroups.contract import Present, Write
from havre.kernel.cgroups.plan_v1 import plan_v1
from havre.oci.runtime_spec import (
    BlockIO,
    CPULimits,
    DeviceRule,
    HugepageLimit,
    InterfacePriority,
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
    return [(write.file, write.value) for write in plan_v1(resources, present or Present())]


def test_nothing_asked_is_nothing_written() -> None:
    assert lines(Resources()) == []
    unset = Resources(
        memory=MemoryLimits(limit=0, swap=0, reservation=0),
        cpu=CPULimits(shares=0, quota=0, period=0, realtime_period=0, realtime_runtime=0),
        block_io=BlockIO(weight=0),
    )
    assert lines(unset) == []


def test_everything_at_once() -> None:
    resources = Resources(
        memory=MemoryLimits(
            limit=64 * MIB, swap=128 * MIB, reservation=32 * MIB, swappiness=10, disable_oom_killer=True
        ),
        cpu=CPULimits(
            shares=512,
            quota=50_000,
            period=100_000,
            realtime_period=1_000_000,
            realtime_runtime=950_000,
            cpus="0-1",
            mems="0",
            burst=10_000,
        ),
        pids=PidsLimit(limit=100),
        block_io=BlockIO(
            weight=500,
            weight_device=[WeightDevice(major=8, minor=0, weight=200)],
            throttle_read_bps_device=[ThrottleDevice(major=8, minor=0, rate=MIB)],
            throttle_write_iops_device=[ThrottleDevice(major=8, minor=16, rate=50)],
        ),
        hugepage_limits=[HugepageLimit(page_size="2MB", limit=4 * MIB)],
        rdma={"mlx5_0": RdmaLimit(hca_handles=2, hca_objects=20)},
        network=NetworkLimits(class_id=0x100001, priorities=[InterfacePriority(name="eth0", priority=5)]),
    )
    assert lines(resources, Present(memory_limit=1 << 60)) == [
        ("memory.limit_in_bytes", str(64 * MIB)),
        ("memory.memsw.limit_in_bytes", str(128 * MIB)),
        ("memory.soft_limit_in_bytes", str(32 * MIB)),
        ("memory.oom_control", "1"),
        ("memory.swappiness", "10"),
        ("cpu.shares", "512"),
        ("cpu.rt_period_us", "1000000"),
        ("cpu.rt_runtime_us", "950000"),
        ("cpu.cfs_burst_us", "10000"),
        ("cpu.cfs_period_us", "100000"),
        ("cpu.cfs_quota_us", "50000"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
        ("pids.max", "100"),
        ("blkio.weight", "500"),
        ("blkio.weight_device", "8:0 200"),
        ("blkio.throttle.read_bps_device", f"8:0 {MIB}"),
        ("blkio.throttle.write_iops_device", "8:16 50"),
        ("hugetlb.2MB.limit_in_bytes", str(4 * MIB)),
        ("hugetlb.2MB.rsvd.limit_in_bytes", str(4 * MIB)),
        ("rdma.max", "mlx5_0 hca_handle=2 hca_object=20"),
        ("net_cls.classid", str(0x100001)),
        ("net_prio.ifpriomap", "eth0 5"),
    ]


@pytest.mark.parametrize(
    ("limit", "swap", "limit_now", "order"),
    [
        (64, 128, 1 << 60, ["limit", "memsw"]),  # from unlimited: the sum may not fall below memory
        (64, 128, 32, ["memsw", "limit"]),  # raised: the sum first
        (64, 128, 200, ["limit", "memsw"]),  # lowered: memory first
        (64, -1, 1 << 60, ["memsw", "limit"]),
        (-1, -1, 64, ["memsw", "limit"]),
        (-1, 0, 64, ["memsw", "limit"]),  # unlimited memory frees the sum too
        (64, 0, 1 << 60, ["limit"]),
        (0, 128, 64, ["memsw"]),
    ],
)
def test_memory_and_swap_are_written_in_the_order_the_kernel_takes(
    limit: int, swap: int, limit_now: int, order: list[str]
) -> None:
    found = lines(Resources(memory=MemoryLimits(limit=limit, swap=swap)), Present(memory_limit=limit_now))
    assert ["memsw" if "memsw" in file else "limit" for file, _ in found] == order


def test_less_swap_than_memory_is_refused() -> None:
    with pytest.raises(InvalidInput, match="memory plus swap"):
        lines(Resources(memory=MemoryLimits(limit=128, swap=64)))


def test_swappiness_has_bounds() -> None:
    with pytest.raises(InvalidInput, match="swappiness 101"):
        lines(Resources(memory=MemoryLimits(swappiness=101)))


@pytest.mark.parametrize(
    ("quota", "period", "present", "first"),
    [
        (50_000, 100_000, Present(), "cpu.cfs_period_us"),
        (10_000, 50_000, Present(cpu_quota=50_000, cpu_period=100_000), "cpu.cfs_quota_us"),
        (80_000, 50_000, Present(cpu_quota=50_000, cpu_period=100_000), "cpu.cfs_period_us"),
        (-1, 50_000, Present(cpu_quota=50_000, cpu_period=100_000), "cpu.cfs_quota_us"),
        (10_000, 200_000, Present(cpu_quota=50_000, cpu_period=100_000), "cpu.cfs_period_us"),
    ],
)
def test_no_moment_grants_more_cpu_than_before_or_after(quota: int, period: int, present: Present, first: str) -> None:
    found = lines(Resources(cpu=CPULimits(quota=quota, period=period)), present)
    assert len(found) == 2
    assert found[0][0] == first


def test_a_burst_follows_the_quota_that_makes_room_for_it() -> None:
    found = lines(Resources(cpu=CPULimits(quota=50_000, burst=40_000)), Present(cpu_quota=10_000))
    assert [file for file, _ in found] == ["cpu.cfs_quota_us", "cpu.cfs_burst_us"]


def test_an_idle_group_has_no_shares() -> None:
    assert lines(Resources(cpu=CPULimits(idle=1, shares=512))) == [("cpu.idle", "1")]
    assert lines(Resources(cpu=CPULimits(idle=0, shares=512))) == [("cpu.idle", "0"), ("cpu.shares", "512")]


@pytest.mark.parametrize("limit", [0, -1])
def test_pids_without_limit(limit: int) -> None:
    assert plan_v1(Resources(pids=PidsLimit(limit=limit)), Present()) == [Write("pids", "pids.max", "max")]


def test_weights_have_another_spelling_on_newer_kernels() -> None:
    (write,) = plan_v1(Resources(block_io=BlockIO(weight=300)), Present())
    assert write == Write("blkio", "blkio.weight", "300", "a block IO weight", (("blkio.bfq.weight", "300"),))


@pytest.mark.parametrize("weight", [9, 1001, -1])
def test_a_weight_has_bounds(weight: int) -> None:
    with pytest.raises(InvalidInput, match="weight"):
        lines(Resources(block_io=BlockIO(weight=weight)))


def test_device_rules_in_order_from_nothing() -> None:
    rules = [
        DeviceRule(allow=False, type="a", access="rwm"),
        DeviceRule(allow=True, type="c", major=1, minor=3, access="rwm"),
        DeviceRule(allow=True, type="c", major=None, minor=-1, access="m"),
        DeviceRule(allow=False, type="c", major=10, minor=229, access="rwm"),
    ]
    assert lines(Resources(devices=rules)) == [
        ("devices.deny", "a *:* rwm"),
        ("devices.allow", "c 1:3 rwm"),
        ("devices.allow", "c *:* m"),
        ("devices.deny", "c 10:229 rwm"),
    ]


def test_unified_resources_are_of_v2() -> None:
    with pytest.raises(NotSupported, match="unified"):
        lines(Resources(unified={"memory.high": "1"}))


def test_a_value_is_one_line() -> None:
    with pytest.raises(InvalidInput, match="one line"):
        lines(Resources(cpu=CPULimits(cpus="0\n1")))
