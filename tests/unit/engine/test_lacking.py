"""Limits that this host's cgroups cannot set, in the words of Debian's dockerd 20.10."""

from __future__ import annotations

from typing import cast

import pytest
from msgspec.structs import replace

from havre.base.errors import InvalidInput
from havre.engine.lacking import host_warnings, supported
from havre.engine.settings import HostConfig, parse_host
from havre.kernel.cgroups.features import Feature
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import FACTS

OF_V2 = frozenset({Feature.SWAPPINESS, Feature.OOM_KILL_DISABLE, Feature.CPU_REALTIME})
ALL = replace(FACTS, missing=frozenset())
NOTHING = replace(FACTS, missing=frozenset(Feature))
RATE = [{"Path": "/dev/null", "Rate": 1}]
WISHES = {
    "Memory": 64 << 20,
    "MemorySwap": 128 << 20,
    "MemoryReservation": 32 << 20,
    "MemorySwappiness": 0,
    "OomKillDisable": True,
    "PidsLimit": 10,
    "CpuShares": 5,
    "CpuPeriod": 10_000,
    "CpuQuota": 50_000,
    "CpusetCpus": "0",
    "CpusetMems": "0",
    "BlkioWeight": 100,
    "BlkioWeightDevice": [{"Path": "/dev/null", "Weight": 100}],
    "BlkioDeviceReadBps": RATE,
    "BlkioDeviceWriteBps": RATE,
    "BlkioDeviceReadIOps": RATE,
    "BlkioDeviceWriteIOps": RATE,
}
NEUTRAL = {"MemorySwappiness": -1, "OomKillDisable": False, "PidsLimit": -1, "BlkioWeightDevice": []}


def wished(**host: object) -> HostConfig:
    return parse_host(cast("CreateContainer", {"HostConfig": host}))


def test_a_host_with_everything_drops_nothing() -> None:
    assert supported(wished(**WISHES), ALL) == (wished(**WISHES), [])


def test_a_host_with_nothing_drops_everything() -> None:
    host, warnings = supported(wished(**WISHES), NOTHING)
    assert host == wished(MemorySwap=-1)
    assert len(warnings) == len(set(warnings)) == 14  # one for a period and a quota, one for two sets, one for memory
    assert "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded." in warnings


@pytest.mark.parametrize("host", [{}, NEUTRAL])
def test_who_asks_for_nothing_is_not_warned(host: dict[str, object]) -> None:
    assert supported(wished(**host), NOTHING) == (wished(**host), [])


def test_memory_is_limited_without_swap() -> None:
    without_swap = replace(FACTS, missing=frozenset({Feature.SWAP}))
    host, warnings = supported(wished(Memory=64 << 20), without_swap)
    assert host == wished(Memory=64 << 20, MemorySwap=-1)
    (warning,) = warnings
    assert warning.startswith(
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory"
    )
    assert supported(host, without_swap) == (host, [])


def test_a_part_of_a_processor_is_refused() -> None:
    with pytest.raises(InvalidInput, match="NanoCPUs can not be set"):
        supported(wished(NanoCpus=500_000_000), NOTHING)


def test_the_host_is_described_as_docker_does() -> None:
    assert host_warnings(FACTS) == []
    assert host_warnings(replace(FACTS, cgroup_version=2, missing=OF_V2)) == []
    assert host_warnings(replace(FACTS, missing=frozenset({Feature.OOM_KILL_DISABLE, Feature.IO_READ_BPS}))) == [
        "WARNING: No oom kill disable support",
        "WARNING: No blkio throttle.read_bps_device support",
    ]
    assert host_warnings(replace(FACTS, cgroup_version=2, missing=frozenset({Feature.MEMORY, Feature.IO_WEIGHT}))) == [
        "WARNING: No memory limit support",
        "WARNING: No io.weight support",
    ]
