"""Statistics in the API's shape, for both kinds of cgroups."""

from __future__ import annotations

from typing import Any

import msgspec

from havre.engine.stats_shape import Machine, Sample, parse_busy_ns, parse_interfaces, shown
from havre.kernel.cgroups import BlockStats, CgroupStats, CpuStats, IoEntry, MemoryStats
from havre.wire.stats import ContainerStats

NET = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       9       1    0    0    0     0          0         0        9       1    0    0    0     0       0          0
  eth0:     100       2    3    4    0     0          0         0      200       5    6    7    0     0       0          0
"""  # noqa: E501
USED = CgroupStats(
    cpu=CpuStats(total_ns=5, user_ns=3, system_ns=2, per_cpu_ns=(2, 3)),
    memory=MemoryStats(usage=4, peak=6, failures=1, detail={"cache": 1}),
    block=BlockStats(service_bytes=(IoEntry(8, 0, "Read", 1), IoEntry(8, 0, "Discard", 2))),
)


def sample(version: int) -> Sample:
    return Sample(1_700_000_000_000_000_000, USED, Machine(50, 2, 1000, version), None)


def plain(stats: ContainerStats) -> Any:
    """As JSON has it: what a client sees."""
    return msgspec.to_builtins(stats)


def test_cgroup_v1() -> None:
    line = plain(shown("one", "id", sample(1)))
    assert line["memory_stats"] == {"usage": 4, "max_usage": 6, "failcnt": 1, "stats": {"cache": 1}, "limit": 1000}
    assert line["cpu_stats"]["cpu_usage"]["percpu_usage"] == [2, 3]
    assert line["pids_stats"] == {"current": 0, "limit": 18446744073709551615}
    assert [entry["op"] for entry in line["blkio_stats"]["io_service_bytes_recursive"] or []] == ["Read", "Discard"]
    assert "networks" not in line


def test_cgroup_v2() -> None:
    line = plain(shown("one", "id", sample(2), sample(2)))
    assert line["memory_stats"] == {"usage": 4, "stats": {"cache": 1}, "limit": 1000}
    assert line["blkio_stats"]["io_service_bytes_recursive"] == [{"major": 8, "minor": 0, "op": "read", "value": 1}]
    assert line["blkio_stats"]["io_serviced_recursive"] is None
    assert line["precpu_stats"] == line["cpu_stats"]
    assert line["preread"] == line["read"] == "2023-11-14T22:13:20Z"


def test_what_does_not_run_used_nothing() -> None:
    line = plain(shown("one", "id", None))
    assert (line["read"], line["memory_stats"], line["pids_stats"]) == ("0001-01-01T00:00:00Z", {}, {})


def test_interfaces_without_the_loopback() -> None:
    found = parse_interfaces(NET)
    assert set(found) == {"eth0"}
    assert found["eth0"]["rx_dropped"] == 4
    assert (found["eth0"]["tx_bytes"], found["eth0"]["tx_errors"]) == (200, 6)


def test_time_of_guests_is_not_counted_twice() -> None:
    assert parse_busy_ns("cpu  1 1 1 1 1 1 1 5 9 9\ncpu0 1\n") == 70_000_000
