"""Networks of whole engines: two hosts on a wire, and kill -9 of havred in the middle of a connect or a disconnect."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host, new_host
from tests.support.leaks import take

pytestmark = pytest.mark.root
_SLEEP = ("sleep", "300")
_STEPS = ("save_attachment", "lay", "silence", "forward")

_KILL = """
import os, signal, sys
from havre.networks import bridge, cabling, store
from havre.daemon import main

step = os.environ["HAVRE_TEST_STEP"]
holder = {"save_attachment": store.Store, "forward": cabling.Cabling}.get(step, bridge.Bridge)
real = getattr(holder, step)

def deadly(*given, **named):
    if os.path.exists(os.environ["HAVRE_TEST_ARMED"]):
        real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **named)

setattr(holder, step, deadly)
sys.argv[0] = "havred"
main.main()
"""


class Deadly(Havre):
    """A havred that kills itself behind a step once the file `armed` is there."""

    step = "lay"

    def command(self) -> list[str]:
        environment = ["env", f"HAVRE_TEST_STEP={self.step}", f"HAVRE_TEST_ARMED={self.folder / 'armed'}"]
        return [*environment, sys.executable, "-c", _KILL]


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path)
    with running(made):
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
@pytest.mark.parametrize("step", _STEPS)
def test_a_kill_in_the_middle_leaves_before_or_after(
    host: Host, tmp_path: Path, rootfs_tar: bytes, step: str, verb: str
) -> None:
    """E-01: what the container shows, what its namespace holds and what its neighbours are told agree."""
    if (step, verb) in {("silence", "connect"), ("lay", "disconnect")}:
        pytest.skip("the verb has no such step")
    deadly = Deadly(host, tmp_path)
    deadly.step = step
    deadly.start()
    deadly.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    deadly.out("network", "create", "--subnet", "10.91.0.0/16", "mine")
    deadly.out("run", "-d", "--name", "web", "-p", "8080:80", "busybox", *_SLEEP)
    if verb == "disconnect":
        deadly.out("network", "connect", "mine", "web")
    (tmp_path / "armed").touch()
    assert deadly.docker("network", verb, "mine", "web").returncode != 0
    assert deadly.process is not None
    assert deadly.process.wait(10) == -signal.SIGKILL
    again = Havre(host, tmp_path)
    with running(again):
        shown = set(json.loads(again.out("inspect", "-f", "{{json .NetworkSettings.Networks}}", "web")))
        assert shown in ({"bridge"}, {"bridge", "mine"})
        there = "10.91." in again.out("exec", "web", "ip", "address")
        held = bool(again.api().get("/networks/mine").json["Containers"])
        assert there == held == ("mine" in shown)
        other = "disconnect" if there else "connect"
        again.out("network", other, "mine", "web")
        again.out("network", "connect" if there else "disconnect", "mine", "web")
        assert again.out("port", "web", "80").splitlines()[0] == "0.0.0.0:8080"


def test_nothing_is_left_of_networks(engine: Havre) -> None:
    before = _settled(engine)
    for _ in range(2):
        engine.out("network", "create", "one")
        engine.out("network", "create", "--ipv6", "two")
        engine.out("run", "-d", "--name", "aa", "--network", "one", "-p", "8080:80", "busybox", *_SLEEP)
        engine.out("network", "connect", "two", "aa")
        engine.out("network", "disconnect", "one", "aa")
        engine.out("run", "--rm", "--network", "two", "busybox", "ping", "-c1", "-W5", "aa")
        engine.out("rm", "-f", "aa")
        engine.out("network", "rm", "one", "two")
    deadline = time.monotonic() + 10
    while _settled(engine) != before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _settled(engine: Havre) -> tuple[object, ...]:
    found = take(engine.host, engine.data_root, engine.exec_root, engine.pid)
    rules = engine.host.run("nft", "-s", "list", "ruleset").stdout.splitlines()
    mounts = {mount for mount in found.mounts if mount.startswith(str(engine.folder))}
    # Once IPv6 is forwarded for a network, it stays so, and what is not ours stays dropped.
    return found.links, found.netns, mounts, [line for line in rules if "nfproto ipv6 drop" not in line]


def test_two_hosts_and_a_wire(engine: Havre, tmp_path: Path, rootfs_tar: bytes) -> None:
    """What one host publishes the other's containers reach, by either version of IP; nothing else."""
    with new_host() as far:
        _join(engine.host, far)
        other = Havre(far, tmp_path / "far")
        with running(other):
            other.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
            for each in (engine, other):
                each.out("network", "create", "--ipv6", "mine")
            serve = ("sh", "-c", "while :; do echo hello | nc -l -p 80; done")
            engine.out("run", "-d", "--name", "web", "--network", "mine", "-p", "8080:80", "busybox", *serve)
            address = engine.out("inspect", "-f", '{{(index .NetworkSettings.Networks "mine").IPAddress}}', "web")
            for target in ("198.51.100.1", "fd00:99::1"):
                done = other.docker(
                    *("run", "--rm", "--network", "mine", "busybox", "sh", "-c"), f"nc -w 5 {target} 8080 </dev/null"
                )
                assert done.stdout == b"hello\n", (target, done.stderr)
            far.run("ip", "route", "add", "172.16.0.0/12", "via", "198.51.100.1", check=False)
            refused = far.run("timeout", "1", "busybox", "nc", "-w", "1", address, "80", check=False)
            assert refused.stdout == ""


def _join(near: Host, far: Host) -> None:
    line = ["ip", "link", "add", "wire", "netns", near.name, "type", "veth", "peer", "name", "wire", "netns", far.name]
    subprocess.run(line, check=True)
    for host, number in ((near, 1), (far, 2)):
        host.run("ip", "address", "add", f"198.51.100.{number}/24", "dev", "wire")
        host.run("ip", "address", "add", f"fd00:99::{number}/64", "dev", "wire", "nodad")
        host.run("ip", "link", "set", "wire", "up")
