"""What a machine holds that a container engine may leave behind; two snapshots must be equal."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.hosts import Host

_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Snapshot:
    mounts: frozenset[str]
    links: frozenset[str]
    cgroups: frozenset[str]
    netns: frozenset[str]
    files: frozenset[str]
    descriptors: int
    processes: frozenset[str]


def take(host: Host, data_root: Path, exec_root: Path, pid: int) -> Snapshot:
    """Mounts, links of *host*, cgroups, namespaces, files under the engine's folders, its handles, its children."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    links = host.run("ip", "-o", "link").stdout.splitlines()
    return Snapshot(
        mounts=frozenset(line.split()[4] for line in lines),
        links=frozenset(line.split()[1].split("@")[0] for line in links),
        cgroups=frozenset(folder for folder, _, _ in os.walk(_CGROUPS) if len(Path(folder).name) >= 64),
        netns=frozenset(os.listdir(exec_root / "netns")) if (exec_root / "netns").is_dir() else frozenset(),
        files=frozenset(_files(data_root) | _files(exec_root)),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        processes=frozenset(_children(pid)),
    )


def _files(root: Path) -> set[str]:
    found: set[str] = set()
    for folder, folders, names in os.walk(root):
        found.update(str(Path(folder, name).relative_to(root)) for name in [*folders, *names])
    return found


def _children(pid: int) -> set[str]:
    done = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], check=False, capture_output=True, text=True)
    return set(done.stdout.split())
