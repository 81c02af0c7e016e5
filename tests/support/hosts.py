"""Test hosts: network namespaces with no way out, made and removed by the test that uses them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LISTEN_S = 60


@dataclass(frozen=True)
class Host:
    name: str

    @property
    def netns(self) -> Path:
        return Path("/run/netns") / self.name

    def enter(self, *command: str) -> list[str]:
        """The command line that runs *command* here; `ip netns exec` would hide the cgroup mounts."""
        return ["nsenter", f"--net={self.netns}", "--", *command]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.enter(*command), check=check, capture_output=True, text=True, timeout=60)


@contextmanager
def new_host() -> Iterator[Host]:
    host = Host(f"hv-{os.urandom(4).hex()}")
    subprocess.run(["ip", "netns", "add", host.name], check=True)
    try:
        host.run("ip", "link", "set", "lo", "up")
        yield host
    finally:
        subprocess.run(["ip", "netns", "delete", host.name], check=True)


def wait_listening(host: Host, port: int) -> None:
    """Wait until something accepts connections to *port* of the loopback address of *host*."""
    deadline = time.monotonic() + _LISTEN_S
    while host.run("bash", "-c", f": < /dev/tcp/127.0.0.1/{port}", check=False).returncode:
        assert time.monotonic() < deadline, f"nobody listens on {port}"
        time.sleep(0.05)
