"""Groups of processes under common limits, cgroup v1 and v2 behind one contract."""

from havre.kernel.cgroups.contract import (
    BlockStats,
    CgroupBusy,
    CgroupInUse,
    CgroupStats,
    ContainerView,
    CpuStats,
    InvalidCgroupPath,
    IoEntry,
    MemoryStats,
    NoSuchController,
    PidsStats,
)
from havre.kernel.cgroups.control import Cgroups, open_cgroups
from havre.kernel.cgroups.doors import open_doors, walk_in

__all__ = [
    "BlockStats",
    "CgroupBusy",
    "CgroupInUse",
    "CgroupStats",
    "Cgroups",
    "ContainerView",
    "CpuStats",
    "InvalidCgroupPath",
    "IoEntry",
    "MemoryStats",
    "NoSuchController",
    "PidsStats",
    "open_cgroups",
    "open_doors",
    "walk_in",
]
