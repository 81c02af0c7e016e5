"""E-13: the wall clock jumps by a day, there and back, and no wait becomes shorter or longer by it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre, running
from tests.support.hosts import Host

pytestmark = pytest.mark.root

DAY_S = 86_400
_SHIFTED = """
import pathlib, sys, time
shift, seconds, nanos = pathlib.Path({shift!r}), time.time, time.time_ns
time.time = lambda: seconds() + int(shift.read_text())
time.time_ns = lambda: nanos() + int(shift.read_text()) * 10**9
from havre.daemon.main import main
sys.exit(main())
"""


class Shifted(Havre):
    """A havred whose wall clock is off by the seconds that a file tells, at every look anew."""

    NAME = "havred with a clock that jumps"

    @property
    def shift(self) -> Path:
        return self.folder / "shift"

    def command(self) -> list[str]:
        return [sys.executable, "-c", _SHIFTED.format(shift=str(self.shift))]

    def jump(self, seconds: int) -> None:
        fresh = self.shift.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(self.shift)


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Shifted]:
    made = Shifted(host, tmp_path / "hv")
    made.folder.mkdir()
    made.jump(0)
    with running(made):
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def health(engine: Havre) -> tuple[str, list[str]]:
    found = json.loads(engine.out("inspect", "-f", "{{json .State.Health}}", "probed"))
    return found["Status"], [entry["Start"] for entry in found["Log"]]


@pytest.mark.parametrize("seconds", [DAY_S, -DAY_S])
def test_probes_keep_their_times(engine: Shifted, seconds: int) -> None:
    """A start period is not over because the clock says so, and intervals go on."""
    check: tuple[str, ...] = ("--health-cmd", "false", "--health-interval", "200ms", "--health-start-interval", "200ms")
    check += ("--health-retries", "1", "--health-start-period", "1h")
    engine.out("run", "-d", "--name", "probed", *check, "busybox", "sleep", "1000")
    until(lambda: bool(health(engine)[1]))
    engine.jump(seconds)
    before = health(engine)[1]
    until(lambda: len(set(health(engine)[1]) - set(before)) >= 3)
    assert health(engine)[0] == "starting"
    engine.docker("rm", "-f", "probed", check=True)
    engine.jump(0)
    for number in (0, seconds):
        engine.out("run", "-d", "--name", "probed", *check[:-2], "busybox", "sleep", "1000")
        engine.jump(number)
        until(lambda: health(engine)[0] == "unhealthy")
        engine.docker("rm", "-f", "probed", check=True)


@pytest.mark.parametrize("seconds", [DAY_S, -DAY_S])
def test_stops_restarts_and_streams_keep_theirs(engine: Shifted, seconds: int) -> None:
    engine.out("run", "-d", "--name", "deaf", "busybox", "sh", "-c", "trap '' TERM; echo up; sleep 1000")
    engine.out("run", "-d", "--name", "again", "--restart", "always", "busybox", "sh", "-c", "sleep 0.2; exit 1")
    follower = subprocess.Popen([DOCKER, "logs", "-f", "deaf"], env=engine.environment(), stdout=subprocess.PIPE)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"up\n"
    stop = subprocess.Popen([DOCKER, "stop", "-t", "600", "deaf"], env=engine.environment())
    engine.jump(seconds)
    count = int(engine.out("inspect", "-f", "{{.RestartCount}}", "again"))
    until(lambda: int(engine.out("inspect", "-f", "{{.RestartCount}}", "again")) > count + 1)
    assert stop.poll() is None
    assert engine.out("inspect", "-f", "{{.State.Running}}", "deaf") == "true"
    engine.docker("kill", "deaf", check=True)
    assert stop.wait(30) == 0
    assert follower.wait(30) == 0
    follower.stdout.close()
    engine.docker("rm", "-f", "again", check=True)
