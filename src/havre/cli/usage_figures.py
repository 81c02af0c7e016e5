"""What `havre stats` computes from a line of statistics, as Docker's command line computes it."""

from __future__ import annotations

from havre.cli.listing import Row
from havre.cli.units import show_memory, show_size
from havre.wire.stats import ContainerStats, CpuStats, MemoryStats

UNKNOWN = "--"
HEADERS = {
    "Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}  # fmt: skip
COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")


def stats_row(asked: str, line: ContainerStats | None, *, trim: bool) -> Row:
    """The placeholders of one container; without a line nothing is known of it."""
    if line is None:
        unknown = dict.fromkeys(HEADERS, UNKNOWN)
        return Row({**unknown, "Container": asked, "MemUsage": "-- / --"}, "*container.statsContext")
    identifier = line.get("id") or ""
    memory = line.get("memory_stats") or {}
    used, limit = used_memory(memory), memory.get("limit") or 0
    networks, block = (line.get("networks") or {}).values(), line.get("blkio_stats") or {}
    moved = block.get("io_service_bytes_recursive") or []
    read, written = (
        sum(entry.get("value") or 0 for entry in moved if (entry.get("op") or "").lower() == word)
        for word in ("read", "write")
    )
    received = sum(one.get("rx_bytes") or 0 for one in networks)
    sent = sum(one.get("tx_bytes") or 0 for one in networks)
    return Row(
        {
            "Container": asked,
            "ID": identifier[:12] if trim else identifier,
            "Name": (line.get("name") or "").removeprefix("/") or UNKNOWN,
            "CPUPerc": f"{cpu_percent(line):.2f}%",
            "MemUsage": f"{show_memory(used)} / {show_memory(limit)}",
            "MemPerc": f"{100 * used / limit if limit else 0:.2f}%",
            "NetIO": f"{show_size(received)} / {show_size(sent)}",
            "BlockIO": f"{show_size(read)} / {show_size(written)}",
            "PIDs": str((line.get("pids_stats") or {}).get("current") or 0),
        },
        "*container.statsContext",
    )


def used_memory(memory: MemoryStats) -> int:
    """What is in use without the cache that the kernel would give back first."""
    usage, detail = memory.get("usage") or 0, memory.get("stats") or {}
    for word in ("total_inactive_file", "inactive_file"):  # cgroup v1, v2
        if word in detail:
            return usage - detail[word] if detail[word] < usage else usage
    return usage


def cpu_percent(line: ContainerStats) -> float:
    """100 is one processor in full."""
    now, before = line.get("cpu_stats") or {}, line.get("precpu_stats") or {}
    own = _own(now) - _own(before)
    whole = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    count = now.get("online_cpus") or len((now.get("cpu_usage") or {}).get("percpu_usage") or ())
    return own / whole * count * 100 if own > 0 and whole > 0 else 0.0


def _own(cpu: CpuStats) -> int:
    return (cpu.get("cpu_usage") or {}).get("total_usage") or 0
