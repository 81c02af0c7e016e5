"""The figures of `havre stats` from lines of statistics."""

from __future__ import annotations

from havre.cli.usage_figures import cpu_percent, stats_row, used_memory
from havre.wire.stats import ContainerStats

LINE: ContainerStats = {
    "name": "/web",
    "id": "ab" * 32,
    "cpu_stats": {"cpu_usage": {"total_usage": 3_000}, "system_cpu_usage": 20_000, "online_cpus": 4},
    "precpu_stats": {"cpu_usage": {"total_usage": 1_000}, "system_cpu_usage": 10_000},
    "memory_stats": {"usage": 3 << 20, "limit": 8 << 20, "stats": {"inactive_file": 1 << 20}},
    "networks": {"eth0": {"rx_bytes": 1000, "tx_bytes": 20}, "eth1": {"rx_bytes": 500, "tx_bytes": 2}},
    "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 4096}, {"op": "write", "value": 1}]},
    "pids_stats": {"current": 7},
}


def test_a_row_holds_what_docker_computes() -> None:
    row = stats_row("web", LINE, trim=True)
    assert row.as_json() == {
        "Container": "web",
        "ID": "abababababab",
        "Name": "web",
        "CPUPerc": "80.00%",
        "MemUsage": "2MiB / 8MiB",
        "MemPerc": "25.00%",
        "NetIO": "1.5kB / 22B",
        "BlockIO": "4.1kB / 1B",
        "PIDs": "7",
    }


def test_nothing_known_is_dashes() -> None:
    assert stats_row("web", None, trim=True).field("MemUsage") == "-- / --"
    assert stats_row("web", None, trim=True).field("CPUPerc") == "--"


def test_the_first_line_has_no_share() -> None:
    assert cpu_percent({"cpu_stats": {}, "precpu_stats": {}}) == 0.0


def test_cgroup_v1_counts_the_whole_hierarchy() -> None:
    assert used_memory({"usage": 10, "stats": {"total_inactive_file": 4, "inactive_file": 1}}) == 6
    assert used_memory({"usage": 3, "stats": {"inactive_file": 4}}) == 3
