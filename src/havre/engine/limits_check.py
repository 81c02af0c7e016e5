"""Checks of memory, processors, block devices and the like, in Docker's words; pure, decided by the host's facts."""

from typing import Final

from havre.base.errors import InvalidInput, NotSupported
from havre.engine.cpusets import parse_set
from havre.engine.host import HostFacts
from havre.engine.settings import HostConfig, Ulimit
from havre.kernel.cgroups.features import Feature

_MINIMUM_MEMORY: Final = 6 << 20
RLIMITS: Final = frozenset(
    [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ]
)


def check_limits(host: HostConfig, facts: HostFacts) -> list[str]:
    """The warnings that the wished limits deserve. Raises InvalidInput or NotSupported for those that cannot be."""
    warnings: list[str] = []
    _check_memory(host, warnings)
    _check_oom(host, facts, warnings)
    _check_cpu(host, facts)
    _check_cpusets(host, facts)
    _check_block(host)
    for limit in host.ulimits or ():
        _check_ulimit(limit)
    if host.shm_size < 0:
        raise InvalidInput("SHM size can not be less than 0")
    return warnings


def _check_memory(host: HostConfig, warnings: list[str]) -> None:
    if 0 < host.memory < _MINIMUM_MEMORY or host.memory < 0:
        raise InvalidInput("Minimum memory limit allowed is 6MB")
    if host.memory > 0 and 0 < host.memory_swap < host.memory:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage")
    if host.memory == 0 and host.memory_swap > 0:
        raise InvalidInput("You should always set the Memory limit when using Memoryswap limit, see usage")
    swappiness = host.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidInput(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    if 0 < host.memory_reservation < _MINIMUM_MEMORY or host.memory_reservation < 0:
        raise InvalidInput("Minimum memory reservation allowed is 6MB")
    if 0 < host.memory < host.memory_reservation:
        raise InvalidInput("Minimum memory limit can not be less than memory reservation limit, see usage")
    if host.kernel_memory or host.kernel_memory_tcp:
        warnings.append("Specifying a kernel memory limit is deprecated and has no effect on this kernel.")


def _check_oom(host: HostConfig, facts: HostFacts, warnings: list[str]) -> None:
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidInput(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if host.oom_score_adj < min(0, facts.oom_score_adj) and "CAP_SYS_RESOURCE" not in facts.capabilities:
        warnings.append("Lowering oom_score_adj takes CAP_SYS_RESOURCE, which this daemon lacks. Value discarded.")
    if host.oom_kill_disable and host.memory == 0:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )


def _check_cpu(host: HostConfig, facts: HostFacts) -> None:
    if host.cpu_shares < 0:
        raise InvalidInput(f"invalid CPU shares ({host.cpu_shares}): value must be a positive integer")
    if host.nano_cpus and host.cpu_period:
        raise InvalidInput("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if host.nano_cpus and host.cpu_quota:
        raise InvalidInput("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if host.nano_cpus and not 10_000_000 <= host.nano_cpus <= facts.cpu_count * 1_000_000_000:
        count = facts.cpu_count
        raise InvalidInput(f"Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")
    if host.cpu_period and not 1000 <= host.cpu_period <= 1_000_000:
        raise InvalidInput("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < host.cpu_quota < 1000:
        raise InvalidInput("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if (host.cpu_realtime_period or host.cpu_realtime_runtime) and not facts.offers(Feature.CPU_REALTIME):
        raise NotSupported("Your kernel does not support CPU real-time scheduler")
    if 0 < host.cpu_realtime_period < host.cpu_realtime_runtime:
        raise InvalidInput("cpu real-time runtime cannot be higher than cpu real-time period")


def _check_cpusets(host: HostConfig, facts: HostFacts) -> None:
    _check_set(host.cpuset_cpus, facts.cpus, "cpuset cpus", "CPUs")
    _check_set(host.cpuset_mems, facts.memory_nodes, "cpuset mems", "memory nodes")


def _check_set(wanted: str, available: str, what: str, things: str) -> None:
    if not wanted:
        return
    try:
        numbers = parse_set(wanted)
    except InvalidInput:
        raise InvalidInput(f"Invalid value {wanted[:256]} for {what}: invalid format: {wanted[:256]}") from None
    if not numbers <= parse_set(available):
        raise InvalidInput(f"Requested {things} are not available - requested {wanted}, available: {available}")


def _check_block(host: HostConfig) -> None:
    weights = [device.weight for device in host.blkio_weight_device or ()]
    if any(not 10 <= weight <= 1000 for weight in [*weights, host.blkio_weight] if weight):
        raise InvalidInput("Range of blkio weight is from 10 to 1000")
    rates = (
        *(host.blkio_device_read_bps or ()),
        *(host.blkio_device_write_bps or ()),
        *(host.blkio_device_read_iops or ()),
        *(host.blkio_device_write_iops or ()),
    )
    for rate in rates:
        if rate.rate < 0 or not rate.path.startswith("/dev/"):
            raise InvalidInput(f"invalid rate {rate.rate} for block device {rate.path[:256]!r}")


def _check_ulimit(limit: Ulimit) -> None:
    if limit.name not in RLIMITS:
        raise InvalidInput(f"invalid ulimit type: {limit.name[:64]}")
    if limit.soft < -1 or limit.hard < -1:
        raise InvalidInput(f"invalid ulimit value of {limit.name}: {limit.soft}:{limit.hard}")
    if limit.hard != -1 and (limit.soft > limit.hard or limit.soft == -1):
        raise InvalidInput(f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}")
