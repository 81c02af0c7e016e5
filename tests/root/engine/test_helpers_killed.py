"""E-06: each process that helps the engine is killed alone, under a container that is at work."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root

LOST = "the process that held the container (its shim) was killed, and the container with it"
TICKING = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.02; done"


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path / "hv")
    made.start()
    made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    yield made
    made.remove_all()
    made.stop()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def worker_of(first: int) -> int:
    """Of two children of a keeper, the one that is not the container's first process."""
    (worker,) = (child for child in children(parent(first)) if child != first)
    return worker


@contextmanager
def session_in(engine: Havre, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """An exec session at work: while there is one, the shim has a worker."""
    line = [DOCKER, "exec", name, "sh", "-c", "echo in; sleep 1000"]
    with subprocess.Popen(line, env=engine.environment(), stdout=subprocess.PIPE) as session:
        try:
            assert session.stdout is not None
            assert session.stdout.readline() == b"in\n"
            yield session
        finally:
            session.kill()


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def pid_of(engine: Havre, name: str) -> int:
    return int(engine.out("inspect", "-f", "{{.State.Pid}}", name))


def lines(engine: Havre, name: str) -> list[int]:
    return [int(line) for line in engine.out("logs", name).split()]


@pytest.mark.parametrize("whom", ["keeper", "worker"])
def test_half_a_shim(engine: Havre, whom: str) -> None:
    """The container ends, its client, its exec session and the log with it; the neighbour does not notice."""
    for name in ("held", "near"):
        engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", TICKING, check=True)
    with session_in(engine, "held") as session:
        first = pid_of(engine, "held")
        keeper, worker = parent(first), worker_of(first)
        inside = children(worker)
        os.kill({"keeper": keeper, "worker": worker}[whom], signal.SIGKILL)
        engine.docker("wait", "held", check=True)
        assert session.wait(60) != 0
    assert engine.out("inspect", "-f", "{{.State.ExitCode}} {{.State.Error}}", "held") == f"137 {LOST}"
    until(lambda: all(map(ended, (first, keeper, worker, *inside))))
    said = lines(engine, "held")
    assert said == list(range(1, len(said) + 1))
    before = len(lines(engine, "near"))
    until(lambda: len(lines(engine, "near")) > before)
    engine.docker("start", "held", check=True)
    assert engine.out("exec", "held", "echo", "again") == "again"


def test_the_launcher(engine: Havre) -> None:
    """Containers go on with all their verbs, and the next one is started by another launcher."""
    engine.docker("run", "-d", "--name", "held", "busybox", "sh", "-c", TICKING, check=True)
    (launcher,) = (pid for pid in children(engine.pid) if name_of(pid) == "havre-launcher")
    os.kill(launcher, signal.SIGKILL)
    until(lambda: ended(launcher))
    assert engine.out("exec", "held", "echo", "on") == "on"
    assert engine.out("run", "--rm", "busybox", "echo", "new") == "new"
    engine.docker("kill", "held", check=True)
    engine.docker("wait", "held", check=True)
    said = lines(engine, "held")
    assert said == list(range(1, len(said) + 1))


def test_who_waits_for_the_next_exec_session(engine: Havre) -> None:
    """The process that is forked ahead of need: the session is born without it."""
    engine.docker("run", "-d", "--name", "held", "busybox", "sleep", "1000", check=True)
    first = pid_of(engine, "held")
    with session_in(engine, "held") as session:
        for pid in children(worker_of(first)):
            if name_of(pid).startswith("havre-"):
                os.kill(pid, signal.SIGKILL)
        assert engine.out("exec", "held", "echo", "born") == "born"
        assert session.poll() is None
    assert pid_of(engine, "held") == first
