"""What this host's cgroups lack, for the warnings of `docker info` and for dropping a limit before it is refused."""

import os
from contextlib import ExitStack
from enum import Enum

from havre.kernel.cgroups.control import Cgroups, checked_path
from havre.kernel.cgroups.naming import children
from havre.kernel.process import start_time

_PROBE = "probe-"


class Feature(Enum):
    """A limit that a kernel may be built or mounted without."""

    MEMORY = "memory limit"
    SWAP = "swap limit"
    MEMORY_RESERVATION = "memory reservation"
    SWAPPINESS = "memory swappiness"
    OOM_KILL_DISABLE = "oom kill disable"
    CPU_SHARES = "cpu shares"
    CPU_CFS = "cpu cfs quota"
    CPU_REALTIME = "cpu real-time"
    CPUSET = "cpuset"
    PIDS = "pids limit"
    FREEZER = "freezer"
    DEVICES = "device rules"
    IO_WEIGHT = "blkio weight"
    IO_WEIGHT_DEVICE = "blkio weight_device"
    IO_READ_BPS = "blkio throttle.read_bps_device"
    IO_WRITE_BPS = "blkio throttle.write_bps_device"
    IO_READ_IOPS = "blkio throttle.read_iops_device"
    IO_WRITE_IOPS = "blkio throttle.write_iops_device"


# (controller, any of these files in a group below the top); no file: having the controller is enough.
_V1: dict[Feature, tuple[str, tuple[str, ...]]] = {
    Feature.MEMORY: ("memory", ("memory.limit_in_bytes",)),
    Feature.SWAP: ("memory", ("memory.memsw.limit_in_bytes",)),
    Feature.MEMORY_RESERVATION: ("memory", ("memory.soft_limit_in_bytes",)),
    Feature.SWAPPINESS: ("memory", ("memory.swappiness",)),
    Feature.OOM_KILL_DISABLE: ("memory", ("memory.oom_control",)),
    Feature.CPU_SHARES: ("cpu", ("cpu.shares",)),
    Feature.CPU_CFS: ("cpu", ("cpu.cfs_quota_us",)),
    Feature.CPU_REALTIME: ("cpu", ("cpu.rt_runtime_us",)),
    Feature.CPUSET: ("cpuset", ()),
    Feature.PIDS: ("pids", ()),
    Feature.FREEZER: ("freezer", ()),
    Feature.DEVICES: ("devices", ()),
    Feature.IO_WEIGHT: ("blkio", ("blkio.weight", "blkio.bfq.weight")),
    Feature.IO_WEIGHT_DEVICE: ("blkio", ("blkio.weight_device", "blkio.bfq.weight_device")),
    Feature.IO_READ_BPS: ("blkio", ("blkio.throttle.read_bps_device",)),
    Feature.IO_WRITE_BPS: ("blkio", ("blkio.throttle.write_bps_device",)),
    Feature.IO_READ_IOPS: ("blkio", ("blkio.throttle.read_iops_device",)),
    Feature.IO_WRITE_IOPS: ("blkio", ("blkio.throttle.write_iops_device",)),
}
_V2: dict[Feature, tuple[str, tuple[str, ...]]] = {
    Feature.MEMORY: ("memory", ()),
    Feature.SWAP: ("memory", ("memory.swap.max",)),
    Feature.MEMORY_RESERVATION: ("memory", ()),
    Feature.CPU_SHARES: ("cpu", ()),
    Feature.CPU_CFS: ("cpu", ("cpu.max",)),
    Feature.CPUSET: ("cpuset", ()),
    Feature.PIDS: ("pids", ()),
    Feature.FREEZER: ("", ()),
    Feature.DEVICES: ("", ()),
    Feature.IO_WEIGHT: ("io", ("io.weight", "io.bfq.weight")),
    Feature.IO_WEIGHT_DEVICE: ("io", ("io.weight", "io.bfq.weight")),
    Feature.IO_READ_BPS: ("io", ("io.max",)),
    Feature.IO_WRITE_BPS: ("io", ("io.max",)),
    Feature.IO_READ_IOPS: ("io", ("io.max",)),
    Feature.IO_WRITE_IOPS: ("io", ("io.max",)),
}


def missing_features(cgroups: Cgroups, parent: str = "/havre") -> frozenset[Feature]:
    """The limits that `apply` would refuse for a group in *parent*; all where none can be made.

    Many files are only in groups below the top, and on v2 only where the controllers are handed down: so one is made,
    looked at and taken away, with those of processes that died meanwhile.
    """
    probe = f"{parent.rstrip('/')}/{_PROBE}{os.getpid()}"
    with ExitStack() as undo:
        undo.callback(_remove_probes, cgroups, parent, probe)
        try:
            cgroups.create(probe)
        except OSError:
            return frozenset(Feature)
        return frozenset(feature for feature in Feature if not _offers(cgroups, feature, checked_path(probe)))


def _remove_probes(cgroups: Cgroups, parent: str, own: str) -> None:
    for path in children(cgroups, parent):
        number = path.rpartition("/")[2].removeprefix(_PROBE)
        if path == own or (number.isdecimal() and start_time(int(number)) is None):
            cgroups.remove(path)


def _offers(cgroups: Cgroups, feature: Feature, name: str) -> bool:
    known = (_V1 if cgroups.version == 1 else _V2).get(feature)
    if known is None:
        return False
    controller, files = known
    if cgroups.version == 1:
        tree = cgroups.trees.controllers.get(controller)
        return tree is not None and (not files or any(tree.exists(name, file) for file in files))
    tree = cgroups.trees.unified
    if tree is None or (controller and controller not in tree.read(name, "cgroup.controllers").split()):
        return False
    return not files or any(tree.exists(name, file) for file in files)
