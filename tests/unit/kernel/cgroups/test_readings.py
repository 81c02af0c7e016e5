"""The kernel's figures as values."""

from __future__ import annotations

from havre.kernel.cgroups import readings
from havre.kernel.cgroups.contract import BlockStats, CpuStats, IoEntry, MemoryStats, PidsStats


def reader(**files: str) -> readings.Read:
    known = {name.replace("__", "."): text for name, text in files.items()}
    return lambda file: known.get(file, "")


def test_no_files_are_zeros() -> None:
    nothing = reader()
    assert readings.cpu_v1(nothing) == readings.cpu_v2(nothing) == CpuStats()
    assert readings.memory_v1(nothing) == readings.memory_v2(nothing) == MemoryStats()
    assert readings.pids(nothing) == PidsStats()
    assert readings.block_v1(nothing) == readings.block_v2(nothing) == BlockStats()


def test_cpu_v1() -> None:
    read = reader(
        cpuacct__usage="30000000\n",
        cpuacct__stat="user 2\nsystem 1\n",
        cpuacct__usage_percpu="10 20 \n",
        cpu__stat="nr_periods 5\nnr_throttled 2\nthrottled_time 700\n",
    )
    assert readings.cpu_v1(read) == CpuStats(
        total_ns=30_000_000,
        user_ns=20_000_000,
        system_ns=10_000_000,
        per_cpu_ns=(10, 20),
        periods=5,
        throttled_periods=2,
        throttled_ns=700,
    )


def test_cpu_v2() -> None:
    read = reader(cpu__stat="usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_throttled 1\nthrottled_usec 4\n")
    assert readings.cpu_v2(read) == CpuStats(
        total_ns=30_000, user_ns=20_000, system_ns=10_000, throttled_periods=1, throttled_ns=4000
    )


def test_memory_v1() -> None:
    read = reader(
        memory__usage_in_bytes="100\n",
        memory__max_usage_in_bytes="150\n",
        memory__limit_in_bytes="9223372036854771712\n",
        memory__failcnt="3\n",
        memory__memsw__usage_in_bytes="120\n",
        memory__stat="cache 4\nrss 5\n",
    )
    assert readings.memory_v1(read) == MemoryStats(
        usage=100, peak=150, limit=0, failures=3, swap_usage=20, detail={"cache": 4, "rss": 5}
    )


def test_memory_v2() -> None:
    read = reader(
        memory__current="100\n",
        memory__max="max\n",
        memory__events="low 0\nmax 2\noom_kill 1\n",
        memory__stat="anon 5\n",
    )
    assert readings.memory_v2(read) == MemoryStats(usage=100, failures=2, detail={"anon": 5})


def test_pids() -> None:
    assert readings.pids(reader(pids__current="3\n", pids__max="10\n")) == PidsStats(current=3, limit=10)
    assert readings.pids(reader(pids__current="3\n", pids__max="max\n")) == PidsStats(current=3, limit=0)


def test_block_v1_prefers_the_scheduler() -> None:
    throttle = {"blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\nTotal 4096\n"}
    bfq = {"blkio.bfq.io_service_bytes_recursive": "8:0 Write 1\n8:0 Total 1\nTotal 1\n"}
    assert readings.block_v1(lambda file: throttle.get(file, "")).service_bytes == (IoEntry(8, 0, "Read", 4096),)
    found = readings.block_v1(lambda file: {**throttle, **bfq}.get(file, ""))
    assert found.service_bytes == (IoEntry(8, 0, "Write", 1), IoEntry(8, 0, "Total", 1))


def test_block_v2() -> None:
    read = reader(io__stat="254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n")
    found = readings.block_v2(read)
    assert found.service_bytes[:3] == (
        IoEntry(254, 0, "Read", 10),
        IoEntry(254, 0, "Write", 20),
        IoEntry(254, 0, "Discard", 0),
    )
    assert found.serviced[:2] == (IoEntry(254, 0, "Read", 1), IoEntry(254, 0, "Write", 2))
