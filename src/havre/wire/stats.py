"""What containers use, as GET /containers/{id}/stats tells it."""

from typing import TypedDict


class PidsStats(TypedDict, total=False):
    """Processes and threads."""

    current: int
    limit: int


class BlockEntry(TypedDict, total=False):
    """A counter of one block device."""

    major: int
    minor: int
    op: str
    value: int


class BlockStats(TypedDict, total=False):
    """Counters by kind; null where the kernel keeps none."""

    io_service_bytes_recursive: list[BlockEntry] | None
    io_serviced_recursive: list[BlockEntry] | None
    io_queue_recursive: list[BlockEntry] | None
    io_service_time_recursive: list[BlockEntry] | None
    io_wait_time_recursive: list[BlockEntry] | None
    io_merged_recursive: list[BlockEntry] | None
    io_time_recursive: list[BlockEntry] | None
    sectors_recursive: list[BlockEntry] | None


class CpuUsage(TypedDict, total=False):
    """Time in nanoseconds; `percpu_usage` on cgroup v1 only."""

    total_usage: int
    percpu_usage: list[int]
    usage_in_kernelmode: int
    usage_in_usermode: int


class ThrottlingData(TypedDict, total=False):
    """How often and how long the quota stopped it."""

    periods: int
    throttled_periods: int
    throttled_time: int


class CpuStats(TypedDict, total=False):
    """The container's time and the machine's."""

    cpu_usage: CpuUsage
    system_cpu_usage: int
    online_cpus: int
    throttling_data: ThrottlingData


class MemoryStats(TypedDict, total=False):
    """Bytes; `max_usage` and `failcnt` on cgroup v1 only. Empty for a container that does not run."""

    usage: int
    max_usage: int
    stats: dict[str, int]
    failcnt: int
    limit: int


class NetworkStats(TypedDict, total=False):
    """The counters of one interface."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


class ContainerStats(TypedDict, total=False):
    """One line of statistics; `precpu_stats` is what `cpu_stats` was one sample before."""

    name: str
    id: str
    read: str
    preread: str
    pids_stats: PidsStats
    blkio_stats: BlockStats
    num_procs: int
    storage_stats: dict[str, int]
    cpu_stats: CpuStats
    precpu_stats: CpuStats
    memory_stats: MemoryStats
    networks: dict[str, NetworkStats]
