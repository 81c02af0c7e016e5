"""The part of a plan that is the same for cgroup v1 and v2: pure functions from the OCI configuration to values."""

from havre.base.errors import InvalidInput
from havre.kernel.cgroups.contract import Write
from havre.oci.runtime_spec import (
    BlockIO,
    CPULimits,
    DeviceRule,
    HugepageLimit,
    PidsLimit,
    RdmaLimit,
    ThrottleDevice,
    WeightDevice,
)

_MIN_SHARES, _MAX_SHARES = 2, 262_144
_MIN_WEIGHT, _MAX_WEIGHT = 10, 1000
_ACCESS = "rwm"
_TYPES = {"": "bc", "a": "bc", "b": "b", "c": "c", "u": "c"}
ALL_DEVICES = DeviceRule(allow=False)


def weight_of_shares(shares: int) -> int:
    """The cpu.weight (1 to 10000) of v2 that stands for cpu.shares (2 to 262144) of v1: runtime-spec, linear."""
    bounded = min(max(shares, _MIN_SHARES), _MAX_SHARES)
    return 1 + (bounded - _MIN_SHARES) * 9999 // (_MAX_SHARES - _MIN_SHARES)


def io_weight(weight: int) -> int:
    """The io.weight (1 to 10000) that stands for a blkio weight (10 to 1000)."""
    return 1 + (weight - _MIN_WEIGHT) * 9999 // (_MAX_WEIGHT - _MIN_WEIGHT)


def checked_weight(weight: int) -> int:
    """*weight*, when it is one of blkio. Raises InvalidInput."""
    if not _MIN_WEIGHT <= weight <= _MAX_WEIGHT:
        raise InvalidInput(f"block IO weight {weight} is not between {_MIN_WEIGHT} and {_MAX_WEIGHT}")
    return weight


def plan_pids(pids: PidsLimit | None) -> list[Write]:
    """pids.max."""
    if pids is None:
        return []
    if pids.limit > 0:
        return [Write("pids", "pids.max", str(pids.limit), "a limit of processes")]
    return [Write("pids", "pids.max", "max")]


def plan_cpuset(cpu: CPULimits) -> list[Write]:
    """cpuset.cpus and cpuset.mems; the kernel reads the lists."""
    asked = {"cpuset.cpus": (cpu.cpus, "a set of CPUs"), "cpuset.mems": (cpu.mems, "a set of memory nodes")}
    return [Write("cpuset", file, checked_line(value), word) for file, (value, word) in asked.items() if value]


def plan_hugepages(limits: list[HugepageLimit] | None, suffix: str) -> list[Write]:
    """A limit of pages, and of reserved ones where the kernel counts them; *suffix* is v1's or v2's."""
    writes = []
    for limit in limits or ():
        size = checked_line(limit.page_size)
        if "/" in size:
            raise InvalidInput(f"invalid huge page size {size!r}")
        asked = f"a limit of {size} huge pages"
        writes.append(Write("hugetlb", f"hugetlb.{size}.{suffix}", str(limit.limit), asked))
        writes.append(Write("hugetlb", f"hugetlb.{size}.rsvd.{suffix}", str(limit.limit)))
    return writes


def plan_rdma(limits: dict[str, RdmaLimit] | None) -> list[Write]:
    """rdma.max, a line a device."""
    writes = []
    for device, limit in (limits or {}).items():
        words = [checked_line(device)]
        if limit.hca_handles is not None:
            words.append(f"hca_handle={limit.hca_handles}")
        if limit.hca_objects is not None:
            words.append(f"hca_object={limit.hca_objects}")
        if len(words) > 1:
            writes.append(Write("rdma", "rdma.max", " ".join(words), f"a limit of RDMA device {device}"))
    return writes


def throttles(block: BlockIO) -> list[tuple[str, str, list[ThrottleDevice]]]:
    """(v1's name, v2's key, limits) of the four rates."""
    return [
        ("read_bps", "rbps", block.throttle_read_bps_device or []),
        ("write_bps", "wbps", block.throttle_write_bps_device or []),
        ("read_iops", "riops", block.throttle_read_iops_device or []),
        ("write_iops", "wiops", block.throttle_write_iops_device or []),
    ]


def device_weights(block: BlockIO) -> list[tuple[WeightDevice, int]]:
    """The devices that got a weight of their own, with it."""
    return [
        (device, checked_weight(device.weight)) for device in block.weight_device or [] if device.weight is not None
    ]


def checked_line(value: str) -> str:
    """*value*, when it is one line. Raises InvalidInput: a second line would be a second setting."""
    if "\n" in value or "\0" in value:
        raise InvalidInput(f"a cgroup value is one line, not {value[:64]!r}")
    return value


def normal_rules(rules: list[DeviceRule]) -> list[DeviceRule]:
    """The same rules, written in one way, starting from "nothing is allowed".

    A number below 0 becomes None (any); type `a` with numbers or partial access becomes one rule for block and one
    for character devices, since v1 has no other way to say it. Whatever comes before the last rule about everything
    is dropped, as it decides nothing. Raises InvalidInput.
    """
    normal: list[DeviceRule] = [ALL_DEVICES]
    for rule in rules:
        kinds = _TYPES.get(rule.type)
        if kinds is None:
            raise InvalidInput(f"invalid device type {rule.type!r} in a cgroup rule")
        if not rule.access or not set(rule.access) <= set(_ACCESS):
            raise InvalidInput(f"invalid device access {rule.access!r} in a cgroup rule")
        access = "".join(letter for letter in _ACCESS if letter in rule.access)
        major, minor = _number(rule.major), _number(rule.minor)
        if kinds == "bc" and major is None and minor is None and access == _ACCESS:
            normal = [DeviceRule(allow=rule.allow, type="a", access=access)]
        else:
            normal.extend(
                DeviceRule(allow=rule.allow, type=kind, major=major, minor=minor, access=access) for kind in kinds
            )
    return normal


def _number(given: int | None) -> int | None:
    if given is None or given < 0:
        return None
    if given >= 1 << 31:
        raise InvalidInput(f"invalid device number {given} in a cgroup rule")
    return given
