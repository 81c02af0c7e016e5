"""OCI resources as writes to the files of cgroup v1: Documentation/admin-guide/cgroup-v1."""

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.cgroups.contract import Present, Write
from havre.kernel.cgroups.writes import (
    checked_line,
    checked_weight,
    device_weights,
    normal_rules,
    plan_cpuset,
    plan_hugepages,
    plan_pids,
    plan_rdma,
    throttles,
)
from havre.oci.runtime_spec import BlockIO, CPULimits, DeviceRule, MemoryLimits, NetworkLimits, Resources

_MAX_SWAPPINESS = 100


def plan_v1(resources: Resources, present: Present) -> list[Write]:
    """What to write, in the order that the kernel accepts from where *present* stands."""
    if resources.unified:
        raise NotSupported("unified resources need cgroup v2, and this host runs cgroup v1")
    return [
        *_devices(resources.devices),
        *_memory(resources.memory, present),
        *_cpu(resources.cpu, present),
        *plan_pids(resources.pids),
        *_block(resources.block_io),
        *plan_hugepages(resources.hugepage_limits, "limit_in_bytes"),
        *plan_rdma(resources.rdma),
        *_network(resources.network),
    ]


def device_line(rule: DeviceRule) -> str:
    """The rule as devices.allow and devices.deny read it."""
    major = "*" if rule.major is None else rule.major
    minor = "*" if rule.minor is None else rule.minor
    return f"{rule.type} {major}:{minor} {rule.access}"


def _devices(rules: list[DeviceRule] | None) -> list[Write]:
    if rules is None:
        return []
    return [
        Write("devices", "devices.allow" if rule.allow else "devices.deny", device_line(rule), "device rules")
        for rule in normal_rules(rules)
    ]


def _memory(memory: MemoryLimits | None, present: Present) -> list[Write]:
    if memory is None:
        return []
    writes = _limit_and_swap(memory.limit or 0, memory.swap or 0, present)
    if memory.reservation:
        asked = "a memory reservation"
        writes.append(Write("memory", "memory.soft_limit_in_bytes", str(memory.reservation), asked))
    if memory.disable_oom_killer is not None:
        asked = "no OOM killer" if memory.disable_oom_killer else ""
        writes.append(Write("memory", "memory.oom_control", "1" if memory.disable_oom_killer else "0", asked))
    if memory.swappiness is not None:
        if not 0 <= memory.swappiness <= _MAX_SWAPPINESS:
            raise InvalidInput(f"memory swappiness {memory.swappiness} is not between 0 and {_MAX_SWAPPINESS}")
        writes.append(Write("memory", "memory.swappiness", str(memory.swappiness), "memory swappiness"))
    return writes


def _limit_and_swap(limit: int, swap: int, present: Present) -> list[Write]:
    """The kernel keeps limit <= memory plus swap at each moment, so the order depends on where we come from."""
    if limit == -1 and swap == 0:
        swap = -1  # no limit of memory makes one of memory plus swap meaningless, and forbidden
    limit_write = Write("memory", "memory.limit_in_bytes", str(limit), "a memory limit")
    swap_asked = "" if swap == -1 else "a limit of memory plus swap"
    swap_write = Write("memory", "memory.memsw.limit_in_bytes", str(swap), swap_asked)
    if not limit or not swap:
        return [write for write, value in ((limit_write, limit), (swap_write, swap)) if value]
    if swap > 0 and limit > swap:
        raise InvalidInput(f"memory plus swap ({swap}) is less than memory alone ({limit})")
    swap_holds_what_is = swap == -1 or present.memory_limit <= swap
    return [swap_write, limit_write] if swap_holds_what_is else [limit_write, swap_write]


def _cpu(cpu: CPULimits | None, present: Present) -> list[Write]:
    if cpu is None:
        return []
    writes = []
    if cpu.idle is not None:
        writes.append(Write("cpu", "cpu.idle", str(cpu.idle), "an idle CPU class" if cpu.idle else ""))
    if cpu.shares and not cpu.idle:
        writes.append(Write("cpu", "cpu.shares", str(cpu.shares), "CPU shares"))
    if cpu.realtime_period:
        writes.append(Write("cpu", "cpu.rt_period_us", str(cpu.realtime_period), "a real-time CPU period"))
    if cpu.realtime_runtime:
        writes.append(Write("cpu", "cpu.rt_runtime_us", str(cpu.realtime_runtime), "a real-time CPU runtime"))
    return [*writes, *_bandwidth(cpu, present), *plan_cpuset(cpu)]


def _bandwidth(cpu: CPULimits, present: Present) -> list[Write]:
    """Period, quota and burst in an order in which no moment grants more than the old or the new share.

    The kernel refuses a share above the parent's also for the moment between two writes.
    """
    quota, period = cpu.quota or 0, cpu.period or 0
    writes = [Write("cpu", "cpu.cfs_period_us", str(period), "a CPU period")] if period else []
    if quota:
        quota_write = Write("cpu", "cpu.cfs_quota_us", str(quota), "a CPU quota")
        shorter = period and period < present.cpu_period
        lower = quota < 0 or present.cpu_quota > quota
        writes.insert(0 if shorter and lower else len(writes), quota_write)
    if cpu.burst is not None:
        burst_write = Write("cpu", "cpu.cfs_burst_us", str(cpu.burst), "a CPU burst" if cpu.burst else "")
        fits_now = present.cpu_quota < 0 or cpu.burst <= present.cpu_quota
        writes.insert(0 if fits_now else len(writes), burst_write)
    return writes


def _block(block: BlockIO | None) -> list[Write]:
    if block is None:
        return []
    writes = []
    if block.weight:
        weight = str(checked_weight(block.weight))
        asked = "a block IO weight"
        writes.append(Write("blkio", "blkio.weight", weight, asked, (("blkio.bfq.weight", weight),)))
    for device, own in device_weights(block):
        line = f"{device.major}:{device.minor} {own}"
        asked = "a block IO weight of a device"
        writes.append(Write("blkio", "blkio.weight_device", line, asked, (("blkio.bfq.weight_device", line),)))
    for name, _, limits in throttles(block):
        file = f"blkio.throttle.{name}_device"
        writes.extend(
            Write("blkio", file, f"{limit.major}:{limit.minor} {limit.rate}", f"a block IO limit ({name})")
            for limit in limits
        )
    return writes


def _network(network: NetworkLimits | None) -> list[Write]:
    if network is None:
        return []
    writes = []
    if network.class_id:
        writes.append(Write("net_cls", "net_cls.classid", str(network.class_id), "a network class"))
    for interface in network.priorities or ():
        line = checked_line(f"{interface.name} {interface.priority}")
        writes.append(Write("net_prio", "net_prio.ifpriomap", line, "a network priority"))
    return writes
