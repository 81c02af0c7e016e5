"""What a container used, in the API's shape: pure."""

from typing import Final, NamedTuple

from havre.base import clock
from havre.kernel.cgroups import CgroupStats, IoEntry
from havre.kernel.cgroups import CpuStats as CpuReading
from havre.kernel.cgroups import MemoryStats as MemoryReading
from havre.wire.stats import BlockEntry, BlockStats, ContainerStats, CpuStats, CpuUsage, MemoryStats, NetworkStats

_UNLIMITED_PIDS: Final = (1 << 64) - 1
_NEVER: Final = "0001-01-01T00:00:00Z"
_NO_CPU: Final[CpuStats] = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}
_NO_BLOCK: Final[BlockStats] = {
    "io_service_bytes_recursive": None,
    "io_serviced_recursive": None,
    "io_queue_recursive": None,
    "io_service_time_recursive": None,
    "io_wait_time_recursive": None,
    "io_merged_recursive": None,
    "io_time_recursive": None,
    "sectors_recursive": None,
}


class Machine(NamedTuple):
    """What is the same for all containers: the time of all processors, their number, memory, the kind of cgroups."""

    busy_ns: int
    cpus: int
    memory_bytes: int
    cgroup_version: int


class Sample(NamedTuple):
    """One look at one container."""

    taken_ns: int
    used: CgroupStats
    machine: Machine
    networks: dict[str, NetworkStats] | None


def shown(name: str, identifier: str, sample: Sample | None, before: Sample | None = None) -> ContainerStats:
    """The line for *sample*; without one the zeros of a container that does not run."""
    head: ContainerStats = {"name": f"/{name}", "id": identifier, "num_procs": 0, "storage_stats": {}}
    if sample is None:
        return {
            **head,
            "read": _NEVER,
            "preread": _NEVER,
            "pids_stats": {},
            "blkio_stats": _NO_BLOCK,
            "cpu_stats": _NO_CPU,
            "precpu_stats": _NO_CPU,
            "memory_stats": {},
        }
    used, version = sample.used, sample.machine.cgroup_version
    line: ContainerStats = {
        **head,
        "read": clock.rfc3339(sample.taken_ns),
        "preread": clock.rfc3339(before.taken_ns) if before is not None else _NEVER,
        "pids_stats": {"current": used.pids.current, "limit": used.pids.limit or _UNLIMITED_PIDS},
        "blkio_stats": {
            **_NO_BLOCK,
            "io_service_bytes_recursive": _block(used.block.service_bytes, version),
            "io_serviced_recursive": _block(used.block.serviced, version) if version == 1 else None,
        },
        "cpu_stats": _cpu(used.cpu, sample.machine),
        "precpu_stats": _cpu(before.used.cpu, before.machine) if before is not None else _NO_CPU,
        "memory_stats": _memory(used.memory, sample.machine),
    }
    if sample.networks is not None:
        line["networks"] = sample.networks
    return line


def _cpu(used: CpuReading, machine: Machine) -> CpuStats:
    usage: CpuUsage = {
        "total_usage": used.total_ns,
        "usage_in_kernelmode": used.system_ns,
        "usage_in_usermode": used.user_ns,
    }
    if used.per_cpu_ns:
        usage["percpu_usage"] = list(used.per_cpu_ns)
    return {
        "cpu_usage": usage,
        "system_cpu_usage": machine.busy_ns,
        "online_cpus": machine.cpus,
        "throttling_data": {
            "periods": used.periods,
            "throttled_periods": used.throttled_periods,
            "throttled_time": used.throttled_ns,
        },
    }


def _memory(used: MemoryReading, machine: Machine) -> MemoryStats:
    limit = used.limit if 0 < used.limit < machine.memory_bytes else machine.memory_bytes
    made: MemoryStats = {"usage": used.usage, "stats": dict(used.detail), "limit": limit}
    if machine.cgroup_version == 1:
        made["max_usage"] = used.peak
        if used.failures:
            made["failcnt"] = used.failures
    return made


def _block(entries: tuple[IoEntry, ...], version: int) -> list[BlockEntry] | None:
    """Docker words the operations of cgroup v2 in small letters, and tells nothing where v2 has nothing."""
    if version == 2:  # the kernel's figures of discarded blocks are not part of this answer
        entries = tuple(one for one in entries if one.operation in {"Read", "Write"})
    made: list[BlockEntry] = [
        {
            "major": one.major,
            "minor": one.minor,
            "op": one.operation.lower() if version == 2 else one.operation,
            "value": one.value,
        }
        for one in entries
    ]
    return made or ([] if version == 1 else None)


def parse_interfaces(text: str) -> dict[str, NetworkStats]:
    """The interfaces of /proc/PID/net/dev but the loopback: two lines of titles, then `eth0: 1 2 3 …`."""
    made: dict[str, NetworkStats] = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        figures = rest.split()
        if name.strip() != "lo" and len(figures) >= 12:
            made[name.strip()] = _interface(figures)
    return made


def _interface(figures: list[str]) -> NetworkStats:
    rx_bytes, rx_packets, rx_errors, rx_dropped, *_ = map(int, figures)
    tx_bytes, tx_packets, tx_errors, tx_dropped = map(int, figures[8:12])
    return {
        "rx_bytes": rx_bytes,
        "rx_packets": rx_packets,
        "rx_errors": rx_errors,
        "rx_dropped": rx_dropped,
        "tx_bytes": tx_bytes,
        "tx_packets": tx_packets,
        "tx_errors": tx_errors,
        "tx_dropped": tx_dropped,
    }


def parse_busy_ns(text: str) -> int:
    """The time of all processors from the first line of /proc/stat, without that of guests, which counts as user."""
    ticks = text.split("\n", 1)[0].split()[1:8]
    return sum(map(int, ticks)) * 10_000_000  # USER_HZ is 100: proc(5)
