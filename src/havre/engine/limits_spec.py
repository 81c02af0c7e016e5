"""What a container may use: the resources of its cgroup; pure."""

from collections.abc import Callable, Iterable
from typing import Final

from havre.engine.host import HostFacts
from havre.engine.settings import HostConfig, Throttle
from havre.kernel.cgroups.features import Feature
from havre.oci.runtime_spec import (
    BlockIO,
    CPULimits,
    DeviceRule,
    MemoryLimits,
    PidsLimit,
    Resources,
    ThrottleDevice,
    WeightDevice,
)

DeviceNumber = Callable[[str], tuple[int, int]]
"""Major and minor number of the device at a path of the host."""
_PERIOD: Final = 100_000
_NANO: Final = 1_000_000_000


def resources(host: HostConfig, facts: HostFacts, rules: Iterable[DeviceRule], number_of: DeviceNumber) -> Resources:
    """The limits that *host* asks for; *rules* are those of the devices cgroup."""
    return Resources(
        devices=list(rules),
        memory=_memory(host, facts),
        cpu=_cpu(host),
        pids=PidsLimit(limit=host.pids_limit) if host.pids_limit else None,
        block_io=_block(host, number_of),
    )


def _memory(host: HostConfig, facts: HostFacts) -> MemoryLimits | None:
    swap = host.memory_swap if facts.offers(Feature.SWAP) and host.memory > 0 else 0
    limits = MemoryLimits(
        limit=host.memory or None,
        reservation=host.memory_reservation or None,
        swap=swap or None,
        swappiness=host.memory_swappiness if facts.offers(Feature.SWAPPINESS) else None,
        disable_oom_killer=host.oom_kill_disable or None,
    )
    return limits if limits != MemoryLimits() else None


def _cpu(host: HostConfig) -> CPULimits | None:
    quota, period = host.cpu_quota, host.cpu_period
    if host.nano_cpus:
        period = _PERIOD
        quota = host.nano_cpus * _PERIOD // _NANO
    limits = CPULimits(
        shares=host.cpu_shares or None,
        quota=quota or None,
        period=period or None,
        realtime_runtime=host.cpu_realtime_runtime or None,
        realtime_period=host.cpu_realtime_period or None,
        cpus=host.cpuset_cpus,
        mems=host.cpuset_mems,
    )
    return limits if limits != CPULimits() else None


def _block(host: HostConfig, number_of: DeviceNumber) -> BlockIO | None:
    weights = [(number_of(one.path), one.weight) for one in host.blkio_weight_device or ()]
    limits = BlockIO(
        weight=host.blkio_weight or None,
        weight_device=[WeightDevice(major=at[0], minor=at[1], weight=weight) for at, weight in weights] or None,
        throttle_read_bps_device=_rates(host.blkio_device_read_bps, number_of),
        throttle_write_bps_device=_rates(host.blkio_device_write_bps, number_of),
        throttle_read_iops_device=_rates(host.blkio_device_read_iops, number_of),
        throttle_write_iops_device=_rates(host.blkio_device_write_iops, number_of),
    )
    return limits if limits != BlockIO() else None


def _rates(wanted: list[Throttle] | None, number_of: DeviceNumber) -> list[ThrottleDevice] | None:
    if not wanted:
        return None
    numbered = ((number_of(one.path), one.rate) for one in wanted)
    return [ThrottleDevice(major=at[0], minor=at[1], rate=rate) for at, rate in numbered]
