"""A host for the tests of this room: an unnamed network namespace, other hosts around it, and questions to ask."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from havre.kernel.namespaces import CLONE, setns, unshare
from havre.kernel.netns import make_netns, open_netns, run_in_netns
from havre.networks.model import Attachment, Join, Wishes

PATIENCE_S = 5.0
GIVE_UP_S = 0.4


@contextmanager
def fresh_namespace() -> Iterator[None]:
    """The calling thread, and the threads and programs that it starts, live in a fresh one."""
    home = open_netns(Path("/proc/thread-self/ns/net"))
    try:
        unshare(CLONE.NEWNET)
        sh("ip", "link", "set", "lo", "up")
        yield
    finally:
        setns(home, CLONE.NEWNET)
        os.close(home)


def sh(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.stderr}")
    return done.stdout


@dataclass
class Place:
    """A network namespace; sockets made here stay here."""

    fd: int
    opened: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def of(cls, attachment: Attachment) -> Place:
        return cls(open_netns(Path(attachment.netns_path)))

    @classmethod
    def here(cls) -> Place:
        return cls(open_netns(Path("/proc/thread-self/ns/net")))

    def close(self) -> None:
        self.opened.close()
        os.close(self.fd)

    def run(self, function: Callable[[], Any]) -> Any:
        return run_in_netns(self.fd, function)

    def sh(self, *command: str) -> str:
        whole = ["nsenter", f"--net=/proc/self/fd/{self.fd}", "--", *command]
        done = subprocess.run(whole, check=False, capture_output=True, text=True, timeout=30, pass_fds=[self.fd])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, port: int, kind: socket.SocketKind = socket.SOCK_STREAM, address: str = "0.0.0.0") -> socket.socket:
        server: socket.socket = self.run(lambda: socket.socket(socket.AF_INET, kind))
        self.opened.callback(server.close)
        server.bind((address, port))
        if kind == socket.SOCK_STREAM:
            server.listen(16)
        return server

    def reaches(self, address: str, port: int) -> bool:
        """Two tries: on a busy machine the first packet can be lost, and TCP would send it again after a second."""
        return self._connects(address, port) or self._connects(address, port)

    def _connects(self, address: str, port: int) -> bool:
        client: socket.socket = self.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        with client:
            client.settimeout(GIVE_UP_S)
            try:
                client.connect((address, port))
            except OSError:
                return False
            return True

    def raw(self, link: str) -> socket.socket:
        """A socket for whole frames, as a sandbox with CAP_NET_RAW may have."""
        sender: socket.socket = self.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self.opened.callback(sender.close)
        self.run(lambda: sender.bind((link, 0)))
        return sender

    def addresses(self) -> dict[str, list[str]]:
        listed = json.loads(self.sh("ip", "-j", "address"))
        return {link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]] for link in listed}


def wish(network: str = "bridge", **fields: Any) -> Wishes:
    """To join one network; what is not about the joining is about the whole sandbox."""
    whole = {name: fields.pop(name) for name in ("any_source", "name", "ports", "servers") if name in fields}
    return Wishes(joins=(Join(network, **fields),), **whole)


@contextmanager
def outside(name: str, subnet: str) -> Iterator[Place]:
    """Another host on a wire `up-<name>`, *subnet*.1 here and *subnet*.2 there, that routes everything to us."""
    fd, _ = make_netns(lambda: None)
    place = Place(fd)
    try:
        near, far = f"up-{name}", "wire0"
        whole = ["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", f"/proc/self/fd/{fd}"]
        subprocess.run(whole, check=True, pass_fds=[fd])
        sh("ip", "address", "add", f"{subnet}.1/24", "dev", near)
        sh("ip", "link", "set", near, "up")
        place.sh("ip", "link", "set", "lo", "up")
        place.sh("ip", "address", "add", f"{subnet}.2/24", "dev", far)
        place.sh("ip", "link", "set", far, "up")
        place.sh("ip", "route", "add", "default", "via", f"{subnet}.1")
        yield place
    finally:
        place.close()


@dataclass(frozen=True)
class Traces:
    """What this room can leave in a host."""

    links: frozenset[str]
    mounts: frozenset[str]
    files: frozenset[str]
    rules: str


def traces(exec_root: Path) -> Traces:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return Traces(
        links=frozenset(link["ifname"] for link in json.loads(sh("ip", "-j", "link"))),
        mounts=frozenset(mount for mount in mounts if mount.startswith(str(exec_root))),
        files=frozenset(os.listdir(exec_root / "netns")),
        rules=rules(),
    )


def rules() -> str:
    """The whole ruleset, without the handles that are new each time."""
    return sh("nft", "-s", "list", "ruleset")


def sysctl(name: str, value: str | None = None) -> str:
    """What /proc/sys/net holds under *name*, after *value* was written."""
    path = Path("/proc/sys/net", name)
    if value is not None:
        path.write_text(value)
    return path.read_text().strip()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for the daemon's own repair or removal; the deadline is the promise that is tested."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.02)
