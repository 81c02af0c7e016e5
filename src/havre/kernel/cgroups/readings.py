"""The kernel's figures as values: pure parsers of the files of a cgroup."""

from collections.abc import Callable

from havre.kernel.cgroups.contract import BlockStats, CpuStats, IoEntry, MemoryStats, PidsStats

Read = Callable[[str], str]  # the text of a file of the cgroup, "" where the kernel has none

_TICK_NS = 10_000_000  # USER_HZ is 100 on every machine that Linux runs on today: proc(5)
_USEC_NS = 1000
_UNLIMITED = 1 << 60  # v1 writes "unlimited" as the largest multiple of a page


def number(text: str) -> int:
    """The first number of *text*; 0 for nothing, for `max` and for what v1 means by unlimited."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    value = int(first) if first.isdigit() else 0
    return 0 if value >= _UNLIMITED else value


def table(text: str) -> dict[str, int]:
    """The lines `word number` of *text*."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def cpu_v1(read: Read) -> CpuStats:
    """cpuacct.* and cpu.stat."""
    ticks = table(read("cpuacct.stat"))
    bandwidth = table(read("cpu.stat"))
    return CpuStats(
        total_ns=number(read("cpuacct.usage")),
        user_ns=number(read("cpuacct.usage_user")) or ticks.get("user", 0) * _TICK_NS,
        system_ns=number(read("cpuacct.usage_sys")) or ticks.get("system", 0) * _TICK_NS,
        per_cpu_ns=tuple(map(int, read("cpuacct.usage_percpu").split())),
        periods=bandwidth.get("nr_periods", 0),
        throttled_periods=bandwidth.get("nr_throttled", 0),
        throttled_ns=bandwidth.get("throttled_time", 0),
    )


def cpu_v2(read: Read) -> CpuStats:
    """cpu.stat."""
    found = table(read("cpu.stat"))
    return CpuStats(
        total_ns=found.get("usage_usec", 0) * _USEC_NS,
        user_ns=found.get("user_usec", 0) * _USEC_NS,
        system_ns=found.get("system_usec", 0) * _USEC_NS,
        periods=found.get("nr_periods", 0),
        throttled_periods=found.get("nr_throttled", 0),
        throttled_ns=found.get("throttled_usec", 0) * _USEC_NS,
    )


def memory_v1(read: Read) -> MemoryStats:
    """memory.*_in_bytes, memory.stat."""
    usage = number(read("memory.usage_in_bytes"))
    return MemoryStats(
        usage=usage,
        peak=number(read("memory.max_usage_in_bytes")),
        limit=number(read("memory.limit_in_bytes")),
        failures=number(read("memory.failcnt")),
        swap_usage=max(number(read("memory.memsw.usage_in_bytes")) - usage, 0),
        detail=table(read("memory.stat")),
    )


def memory_v2(read: Read) -> MemoryStats:
    """memory.current, memory.stat, memory.events."""
    return MemoryStats(
        usage=number(read("memory.current")),
        peak=number(read("memory.peak")),
        limit=number(read("memory.max")),
        failures=table(read("memory.events")).get("max", 0),
        swap_usage=number(read("memory.swap.current")),
        detail=table(read("memory.stat")),
    )


def pids(read: Read) -> PidsStats:
    """pids.current and pids.max, of both versions."""
    return PidsStats(current=number(read("pids.current")), limit=number(read("pids.max")))


def block_v1(read: Read) -> BlockStats:
    """The scheduler's own counters where it keeps them, else those of the throttle, which see everything."""
    return BlockStats(
        service_bytes=_lines_v1(read, "io_service_bytes_recursive"), serviced=_lines_v1(read, "io_serviced_recursive")
    )


def _lines_v1(read: Read, file: str) -> tuple[IoEntry, ...]:
    """Lines `8:0 Read 4096`; the last one, `Total 4096`, names no device."""
    for kind in ("bfq", "throttle"):
        lines = [line.split() for line in read(f"blkio.{kind}.{file}").splitlines()]
        entries = tuple(_entry(line[0], line[1], int(line[2])) for line in lines if len(line) == 3)
        if entries:
            return entries
    return ()


def block_v2(read: Read) -> BlockStats:
    """io.stat: lines `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`."""
    moved: list[IoEntry] = []
    served: list[IoEntry] = []
    for line in read("io.stat").splitlines():
        device, *pairs = line.split()
        found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        for letter, operation in (("r", "Read"), ("w", "Write"), ("d", "Discard")):
            moved.append(_entry(device, operation, number(found.get(f"{letter}bytes", ""))))
            served.append(_entry(device, operation, number(found.get(f"{letter}ios", ""))))
    return BlockStats(service_bytes=tuple(moved), serviced=tuple(served))


def _entry(device: str, operation: str, value: int) -> IoEntry:
    major, _, minor = device.partition(":")
    return IoEntry(int(major), int(minor), operation, value)
