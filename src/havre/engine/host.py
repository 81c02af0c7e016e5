"""What this host is and can do: read once at start, and given to whoever must decide by it."""

import os
import platform
import socket
from pathlib import Path
from typing import Final

import msgspec

from havre.kernel import capabilities
from havre.kernel.cgroups import Cgroups
from havre.kernel.cgroups.features import Feature, missing_features

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "ppc64le": "ppc64le"}


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Sets as cpuset(7) writes them; *capabilities* by name, those that the engine itself holds; *missing* limits."""

    cpus: str
    memory_nodes: str
    cpu_count: int
    memory_bytes: int
    cgroup_version: int
    missing: frozenset[Feature]
    kernel: str
    machine: str
    architecture: str
    system: str
    system_version: str
    name: str
    capabilities: frozenset[str]
    ipv6: bool
    oom_score_adj: int = 0

    def offers(self, limit: Feature) -> bool:
        """Whether the host's cgroups can set *limit*."""
        return limit not in self.missing


def read_host(cgroups: Cgroups, parent: str) -> HostFacts:
    """The facts of the running host, where containers have their groups in *parent*."""
    system = _os_release()
    machine = platform.machine()
    cpus = _line("/sys/devices/system/cpu/online") or "0"
    effective, _, _ = capabilities.current()
    return HostFacts(
        cpus=_line("/sys/fs/cgroup/cpuset/cpuset.effective_cpus") or cpus,
        memory_nodes=_line("/sys/devices/system/node/online") or "0",
        cpu_count=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        cgroup_version=cgroups.version,
        missing=missing_features(cgroups, parent),
        kernel=platform.release(),
        machine=machine,
        architecture=_ARCHITECTURES.get(machine, machine),
        system=system.get("PRETTY_NAME", "Linux"),
        system_version=system.get("VERSION_ID", ""),
        name=socket.gethostname(),
        capabilities=frozenset(capabilities.names_of(effective)),
        ipv6=Path("/proc/net/if_inet6").exists(),
        oom_score_adj=int(_line("/proc/self/oom_score_adj") or "0"),
    )


def file_system_of(folder: Path) -> str:
    """The kind of file system that *folder* lies on, in Docker's words; `<unknown>` where the kernel does not tell.

    proc_pid_mountinfo(5): the third field is the device, the kind comes after the hyphen.
    """
    number = folder.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    for line in _line("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        if before.split(" ", 3)[2] == device:
            kind = after.split(" ", 1)[0]
            return "extfs" if kind in {"ext2", "ext3", "ext4"} else "overlayfs" if kind == "overlay" else kind
    return "<unknown>"


def _os_release() -> dict[str, str]:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    return {}


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
