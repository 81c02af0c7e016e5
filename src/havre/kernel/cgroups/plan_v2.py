"""OCI resources as writes to the files of cgroup v2: Documentation/admin-guide/cgroup-v2.rst."""

import re

from havre.base.errors import InvalidInput, NotSupported
from havre.kernel.cgroups.contract import Present, Write
from havre.kernel.cgroups.writes import (
    checked_weight,
    device_weights,
    io_weight,
    plan_cpuset,
    plan_hugepages,
    plan_pids,
    plan_rdma,
    throttles,
    weight_of_shares,
)
from havre.oci.runtime_spec import BlockIO, CPULimits, MemoryLimits, Resources

_UNIFIED_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)+")
_OWN_KEYS = frozenset({"cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"})


def plan_v2(resources: Resources, present: Present) -> list[Write]:
    """What to write; device rules are no file here, see device_program."""
    if resources.network and (resources.network.class_id or resources.network.priorities):
        raise NotSupported("network classes and priorities need cgroup v1, and this host runs cgroup v2")
    return [
        *_memory(resources.memory),
        *_cpu(resources.cpu, present),
        *plan_pids(resources.pids),
        *_block(resources.block_io),
        *plan_hugepages(resources.hugepage_limits, "max"),
        *plan_rdma(resources.rdma),
        *_unified(resources.unified),
    ]


def _bytes(limit: int) -> str:
    return "max" if limit < 0 else str(limit)


def _memory(memory: MemoryLimits | None) -> list[Write]:
    """Swappiness is v1's alone: like runc, and unlike a limit, it is passed over."""
    if memory is None:
        return []
    if memory.disable_oom_killer:
        raise NotSupported("the OOM killer cannot be disabled on cgroup v2")
    writes = []
    swap = _swap_alone(memory)
    if swap is not None:
        # Without swap accounting, unlimited and none at all are what a container gets anyway.
        asked = "" if swap in ("max", "0") else "a limit of swap"
        writes.append(Write("memory", "memory.swap.max", swap, asked))
    if memory.limit:
        writes.append(Write("memory", "memory.max", _bytes(memory.limit), "a memory limit"))
    if memory.reservation:
        writes.append(Write("memory", "memory.low", _bytes(memory.reservation), "a memory reservation"))
    return writes


def _swap_alone(memory: MemoryLimits) -> str | None:
    """v2 counts swap apart from memory; OCI's number is the sum."""
    limit, total = memory.limit or 0, memory.swap or 0
    if total == 0:
        return "max" if limit == -1 else None
    if total == -1:
        return "max"
    if limit <= 0:
        raise InvalidInput("a limit of memory plus swap needs a memory limit")
    if total < limit:
        raise InvalidInput(f"memory plus swap ({total}) is less than memory alone ({limit})")
    return str(total - limit)


def _cpu(cpu: CPULimits | None, present: Present) -> list[Write]:
    if cpu is None:
        return []
    if cpu.realtime_period or cpu.realtime_runtime:
        raise NotSupported("real-time CPU limits need cgroup v1, and this host runs cgroup v2")
    writes = []
    if cpu.idle is not None:
        writes.append(Write("cpu", "cpu.idle", str(cpu.idle), "an idle CPU class" if cpu.idle else ""))
    if cpu.shares and not cpu.idle:
        writes.append(Write("cpu", "cpu.weight", str(weight_of_shares(cpu.shares)), "CPU shares"))
    if cpu.quota or cpu.period:
        quota = cpu.quota or present.cpu_quota
        value = f"{quota if quota > 0 else 'max'} {cpu.period or present.cpu_period}"
        writes.append(Write("cpu", "cpu.max", value, "a CPU quota"))
    if cpu.burst is not None:
        # At most the quota, at each moment: before the quota when it fits the one in force.
        burst_write = Write("cpu", "cpu.max.burst", str(cpu.burst), "a CPU burst" if cpu.burst else "")
        fits_now = present.cpu_quota < 0 or cpu.burst <= present.cpu_quota
        writes.insert(0 if fits_now else len(writes), burst_write)
    return [*writes, *plan_cpuset(cpu)]


def _block(block: BlockIO | None) -> list[Write]:
    if block is None:
        return []
    writes = []
    if block.weight:
        weight = checked_weight(block.weight)
        instead = (("io.weight", f"default {io_weight(weight)}"),)
        writes.append(Write("io", "io.bfq.weight", str(weight), "a block IO weight", instead))
    for device, own in device_weights(block):
        number = f"{device.major}:{device.minor}"
        instead = (("io.weight", f"{number} {io_weight(own)}"),)
        writes.append(Write("io", "io.bfq.weight", f"{number} {own}", "a block IO weight of a device", instead))
    for name, key, limits in throttles(block):
        writes.extend(
            Write("io", "io.max", f"{limit.major}:{limit.minor} {key}={limit.rate}", f"a block IO limit ({name})")
            for limit in limits
        )
    return writes


def _unified(unified: dict[str, str] | None) -> list[Write]:
    """Files written as they are, line by line: the kernel takes one device a write."""
    writes: list[Write] = []
    for key, value in (unified or {}).items():
        controller = key.partition(".")[0]
        if not _UNIFIED_KEY.fullmatch(key) or (controller == "cgroup" and key not in _OWN_KEYS):
            raise InvalidInput(f"unified resource {key!r} is not a limit of a cgroup")
        of = "" if controller == "cgroup" else controller
        writes.extend(Write(of, key, line, f"unified resource {key}") for line in value.split("\n") if line)
    return writes
