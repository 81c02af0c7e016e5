"""The limits that this host's cgroups cannot set: dropped with a warning each, in Docker's words; pure."""

from typing import Final

from msgspec.structs import replace

from havre.base.errors import InvalidInput
from havre.engine.host import HostFacts
from havre.engine.settings import HostConfig
from havre.kernel.cgroups.features import Feature

_NONE: Final = HostConfig()
_LACK: Final = "Your kernel does not support"
_UNMOUNTED: Final = "or the cgroup is not mounted."
_BY_FIELD: Final = (
    (
        Feature.SWAPPINESS,
        ("memory_swappiness",),
        f"{_LACK} memory swappiness capabilities {_UNMOUNTED} Memory swappiness discarded.",
    ),
    (
        Feature.MEMORY_RESERVATION,
        ("memory_reservation",),
        f"{_LACK} memory soft limit capabilities {_UNMOUNTED} Limitation discarded.",
    ),
    (Feature.OOM_KILL_DISABLE, ("oom_kill_disable",), f"{_LACK} OomKillDisable. OomKillDisable discarded."),
    (Feature.PIDS, ("pids_limit",), f"{_LACK} PIDs limit capabilities {_UNMOUNTED} PIDs limit discarded."),
    (Feature.CPU_SHARES, ("cpu_shares",), f"{_LACK} CPU shares {_UNMOUNTED} Shares discarded."),
    (
        Feature.CPU_CFS,
        ("cpu_period", "cpu_quota"),
        f"{_LACK} CPU CFS scheduler. CPU period/quota discarded.",
    ),
    (Feature.CPUSET, ("cpuset_cpus", "cpuset_mems"), f"{_LACK} cpuset {_UNMOUNTED} Cpuset discarded."),
    (Feature.IO_WEIGHT, ("blkio_weight",), f"{_LACK} Block I/O weight {_UNMOUNTED} Weight discarded."),
    (
        Feature.IO_WEIGHT_DEVICE,
        ("blkio_weight_device",),
        f"{_LACK} Block I/O weight_device {_UNMOUNTED} Weight-device discarded.",
    ),
    (
        Feature.IO_READ_BPS,
        ("blkio_device_read_bps",),
        f"{_LACK} BPS Block I/O read limit {_UNMOUNTED} Block I/O BPS read limit discarded.",
    ),
    (
        Feature.IO_WRITE_BPS,
        ("blkio_device_write_bps",),
        f"{_LACK} BPS Block I/O write limit {_UNMOUNTED} Block I/O BPS write limit discarded.",
    ),
    (
        Feature.IO_READ_IOPS,
        ("blkio_device_read_iops",),
        f"{_LACK} IOPS Block read limit {_UNMOUNTED} Block I/O IOPS read limit discarded.",
    ),
    (
        Feature.IO_WRITE_IOPS,
        ("blkio_device_write_iops",),
        f"{_LACK} IOPS Block write limit {_UNMOUNTED} Block I/O IOPS write limit discarded.",
    ),
)
# What `docker info` says, for v1 and v2; v1 has had no weights since Linux 5.0 but with BFQ, and is not blamed.
_TOLD: Final = (
    (Feature.MEMORY, "memory limit", "memory limit"),
    (Feature.SWAP, "swap limit", "swap limit"),
    (Feature.OOM_KILL_DISABLE, "oom kill disable", ""),
    (Feature.CPU_CFS, "cpu cfs quota", "cpu cfs quota"),
    (Feature.CPU_CFS, "cpu cfs period", "cpu cfs period"),
    (Feature.CPU_SHARES, "cpu shares", "cpu shares"),
    (Feature.CPUSET, "cpuset", "cpuset"),
    (Feature.IO_WEIGHT, "", "io.weight"),
    (Feature.IO_WEIGHT_DEVICE, "", "io.weight (per device)"),
    (Feature.IO_READ_BPS, "blkio throttle.read_bps_device", "io.max (rbps)"),
    (Feature.IO_WRITE_BPS, "blkio throttle.write_bps_device", "io.max (wbps)"),
    (Feature.IO_READ_IOPS, "blkio throttle.read_iops_device", "io.max (riops)"),
    (Feature.IO_WRITE_IOPS, "blkio throttle.write_iops_device", "io.max (wiops)"),
)


def supported(host: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    """*host* without the limits that this host lacks, and a warning for each. Raises InvalidInput for NanoCpus."""
    host, warnings = _memory(host, facts)
    if host.nano_cpus > 0 and not facts.offers(Feature.CPU_CFS):
        raise InvalidInput(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
        )
    for feature, fields, warning in _BY_FIELD:
        if not facts.offers(feature) and any(_is_asked(host, field) for field in fields):
            host = replace(host, **{field: getattr(_NONE, field) for field in fields})
            warnings.append(warning)
    return host, warnings


def _memory(host: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    if host.memory <= 0:
        return host, []
    if not facts.offers(Feature.MEMORY):
        warning = f"{_LACK} memory limit capabilities {_UNMOUNTED} Limitation discarded."
        return replace(host, memory=0, memory_swap=-1), [warning]
    if host.memory_swap != -1 and not facts.offers(Feature.SWAP):
        return replace(host, memory_swap=-1), [
            f"{_LACK} swap limit capabilities {_UNMOUNTED} Memory limited without swap."
        ]
    return host, []


def _is_asked(host: HostConfig, field: str) -> bool:
    value = getattr(host, field)
    return value not in (getattr(_NONE, field), -1, []) and value is not False  # a swappiness of 0 is a wish


def host_warnings(facts: HostFacts) -> list[str]:
    """What this host lacks, in the words of `docker info`."""
    return [
        f"WARNING: No {word} support"
        for feature, on_v1, on_v2 in _TOLD
        if not facts.offers(feature) and (word := on_v1 if facts.cgroup_version == 1 else on_v2)
    ]
