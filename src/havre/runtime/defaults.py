"""What Docker gives a container that asks for nothing, as parts of a runtime spec."""

import os
from functools import cache

from havre.oci.runtime_spec import Device, DeviceRule, Mount
from havre.runtime.seccomp_profile import Profile, default_profile, kernel_version, parse_profile, resolve

__all__ = [
    "CAPABILITIES",
    "CGROUP_PARENT",
    "DEVICE_RULES",
    "INIT_TARGET",
    "MASKED_PATHS",
    "PATH",
    "READONLY_PATHS",
    "SHM_SIZE",
    "Profile",
    "default_devices",
    "default_mounts",
    "default_profile",
    "find_init",
    "kernel_version",
    "masked_paths",
    "parse_profile",
    "resolve",
]

CGROUP_PARENT = "/havre"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHM_SIZE = 64 << 20
INIT_TARGET = "/sbin/docker-init"

CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)

READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_CPUS = "/sys/devices/system/cpu"
_INITS = ("docker-init", "tini", "tini-static", "catatonit")
_INIT_FOLDERS = ("/usr/libexec/docker", "/usr/libexec/podman", "/usr/local/bin", "/usr/bin", "/sbin", "/bin")


def _rule(kind: str, major: int | None, minor: int | None, access: str = "rwm", *, allow: bool = True) -> DeviceRule:
    return DeviceRule(allow=allow, type=kind, major=major, minor=minor, access=access)


DEVICE_RULES = (
    _rule("a", None, None, allow=False),
    _rule("c", None, None, "m"),
    _rule("b", None, None, "m"),
    _rule("c", 1, 3),
    _rule("c", 1, 5),
    _rule("c", 1, 7),
    _rule("c", 1, 8),
    _rule("c", 1, 9),
    _rule("c", 5, 0),
    _rule("c", 5, 1),
    _rule("c", 5, 2),
    _rule("c", 136, None),
    _rule("c", 10, 229, allow=False),
)
"""Deny all; make any node; open the harmless ones and terminals; never fuse."""


def default_devices() -> list[Device]:
    """The nodes that each container has; the runtime makes them whether the spec names them or not."""
    numbers = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
    nodes = [Device(path=f"/dev/{name}", type="c", major=1, minor=n, file_mode=0o666) for name, n in numbers.items()]
    return [*nodes, Device(path="/dev/tty", type="c", major=5, minor=0, file_mode=0o666)]


def default_mounts(*, shm_size: int = SHM_SIZE) -> list[Mount]:
    """The file systems below the root, parents first."""
    return [
        Mount(destination="/proc", type="proc", source="proc", options=["nosuid", "noexec", "nodev"]),
        Mount(
            destination="/dev",
            type="tmpfs",
            source="tmpfs",
            options=["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        Mount(
            destination="/dev/pts",
            type="devpts",
            source="devpts",
            options=["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        Mount(destination="/sys", type="sysfs", source="sysfs", options=["nosuid", "noexec", "nodev", "ro"]),
        Mount(
            destination="/sys/fs/cgroup",
            type="cgroup",
            source="cgroup",
            options=["ro", "nosuid", "noexec", "nodev"],
        ),
        Mount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=["nosuid", "noexec", "nodev"]),
        Mount(
            destination="/dev/shm",  # noqa: S108  the container's own
            type="tmpfs",
            source="shm",
            options=["nosuid", "noexec", "nodev", "mode=1777", f"size={shm_size}"],
        ),
    ]


@cache
def masked_paths() -> tuple[str, ...]:
    """MASKED_PATHS and the thermal counters of each CPU that has them on this host."""
    cpus = (f"{_CPUS}/{name}/thermal_throttle" for name in _listed(_CPUS) if name[3:4].isdigit())
    return MASKED_PATHS + tuple(sorted(path for path in cpus if os.path.exists(path)))  # noqa: PTH110


def _listed(folder: str) -> "list[str]":
    try:
        return os.listdir(folder)  # noqa: PTH208  no pathlib in the launcher
    except OSError:
        return []


def find_init() -> str | None:
    """The tiny init of `--init` on this host: Docker's own, tini or catatonit; None without any."""
    for name in _INITS:
        for folder in _INIT_FOLDERS:
            path = f"{folder}/{name}"
            if os.access(path, os.X_OK):
                return path
    return None
