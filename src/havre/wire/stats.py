"""What containers use, as GET /containers/{id}/stats tells it."""

from typing import TypedDict


class PidsStats(TypedDict, total=False):
    """Processes and threads."""

    current: int | None
    limit: int | None


class BlockEntry(TypedDict, total=False):
    """A counter of one block device."""

    major: int | None
    minor: int | None
    op: str | None
    value: int | None


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

    total_usage: int | None
    percpu_usage: list[int] | None
    usage_in_kernelmode: int | None
    usage_in_usermode: int | None


class ThrottlingData(TypedDict, total=False):
    """How often and how long the quota stopped it."""

    periods: int | None
    throttled_periods: int | None
    throttled_time: int | None


class CpuStats(TypedDict, total=False):
    """The container's time and the machine's."""

    cpu_usage: CpuUsage | None
    system_cpu_usage: int | None
    online_cpus: int | None
    throttling_data: ThrottlingData | None


class MemoryStats(TypedDict, total=False):
    """Bytes; `max_usage` and `failcnt` on cgroup v1 only. Empty for a container that does not run."""

    usage: int | None
    max_usage: int | None
    stats: dict[str, int] | None
    failcnt: int | None
    limit: int | None


class NetworkStats(TypedDict, total=False):
    """The counters of one interface."""

    rx_bytes: int | None
    rx_packets: int | None
    rx_errors: int | None
    rx_dropped: int | None
    tx_bytes: int | None
    tx_packets: int | None
    tx_errors: int | None
    tx_dropped: int | None


class ContainerStats(TypedDict, total=False):
    """One line of statistics; `precpu_stats` is what `cpu_stats` was one sample before."""

    name: str | None
    id: str | None
    read: str | None
    preread: str | None
    pids_stats: PidsStats | None
    blkio_stats: BlockStats | None
    num_procs: int | None
    storage_stats: dict[str, int] | None
    cpu_stats: CpuStats | None
    precpu_stats: CpuStats | None
    memory_stats: MemoryStats | None
    networks: dict[str, NetworkStats] | None
