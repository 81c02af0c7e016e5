"""E-12, L-01, L-02: containers that take all they can get, and clients that take nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    havre.remove_all()


def until(reached: Callable[[], object], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def memory_kb(pid: int, what: str = "VmRSS") -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith(what))


def shim_of(havre: Havre, name: str) -> int:
    """The process that holds the container."""
    pid = havre.out("inspect", "-f", "{{.State.Pid}}", name)
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


HOGS = {
    "forks": ("bomb() { bomb | bomb & }; while :; do bomb; done", ["--pids-limit", "64", "--cpus", "0.5"]),
    "memory": ("x=a; while :; do x=$x$x; done", ["-m", "24m", "--memory-swap", "24m"]),
    "cpu": ("trap '' TERM; while :; do :; done", ["--cpus", "0.5"]),
    "open files": ("trap '' TERM; i=3; while :; do sleep 100 & done", ["--pids-limit", "64", "--cpus", "0.5"]),
}


@pytest.mark.parametrize("kind", HOGS)
def test_a_hog_is_stopped_and_the_engine_is_no_victim(havre: Havre, kind: str) -> None:
    """E-12: the engine answers, a stop takes its timeout and little more, and who was out of memory is told so."""
    script, limits = HOGS[kind]
    havre.out("run", "-d", "--name", "hog", *limits, "busybox", "sh", "-c", script)
    pid = havre.pid
    if kind == "memory":
        havre.docker("wait", "hog", check=True)
        assert havre.out("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "hog") == "true 137"
    else:
        for _ in range(20):
            assert havre.api().get("/version").status == 200
        began = time.monotonic()
        havre.docker("stop", "-t", "1", "hog", check=True)
        assert time.monotonic() - began < 20
        assert havre.out("inspect", "-f", "{{.State.OOMKilled}}", "hog") == "false"
    assert havre.pid == pid
    assert Path(f"/proc/{pid}").exists()
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) <= 0
    assert havre.out("run", "--rm", "busybox", "echo", "well") == "well"


def test_a_flood_is_bounded_in_disk_and_memory(havre: Havre) -> None:
    """L-01."""
    options = ("--log-opt", "max-size=1m", "--log-opt", "max-file=3")
    made = havre.out("run", "-d", "--name", "flood", *options, "busybox", "sh", "-c", "yes 0123456789 | head -c 200m")
    shim = shim_of(havre, "flood")
    before = memory_kb(havre.pid), memory_kb(shim)
    folder = havre.data_root / "containers" / made
    running = subprocess.Popen([DOCKER, "wait", "flood"], env=havre.environment(), stdout=subprocess.PIPE)
    largest = peak = 0
    while running.poll() is None:
        sizes = []
        for path in folder.rglob("*"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:
                continue
        largest = max(largest, sum(sizes))
        with suppress(FileNotFoundError, ProcessLookupError, StopIteration):
            peak = max(peak, memory_kb(shim, "VmHWM"))
        time.sleep(0.05)
    assert running.communicate()[0] == b"0\n"
    assert largest < 4 << 20
    assert memory_kb(havre.pid) - before[0] < 16 << 10
    assert peak - before[1] < 16 << 10
    last = havre.docker("logs", "--tail", "3", "flood", check=True).stdout.splitlines()
    assert last[0] == last[1] == b"0123456789"


@pytest.mark.timeout(300)
def test_a_deaf_reader_hinders_nobody(havre: Havre) -> None:
    """L-02: of logs, of events, of an attachment: each stops reading; the container and all others go on.

    An attachment holds its container up, as a pipe does, until it is dropped after half a minute; each in its turn.
    """
    script = "trap 'exit 5' TERM; i=0; while :; do i=$((i+1)); echo line $i of many more that come behind it; done"
    havre.out("run", "-d", "--name", "talks", "--log-opt", "max-size=4m", "busybox", "sh", "-c", script)
    before = memory_kb(havre.pid)
    with ExitStack() as undo:
        for request in (
            "GET /v1.41/containers/talks/logs?follow=1&stdout=1",
            "GET /v1.41/events",
            "POST /v1.41/containers/talks/attach?stream=1&stdout=1&stderr=1",
            "GET /v1.41/containers/talks/stats",
        ):
            for _ in range(3):
                deaf = undo.enter_context(socket.socket(socket.AF_UNIX))
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect(str(havre.socket))
                deaf.sendall(f"{request} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert deaf.recv(12).startswith(b"HTTP/1.1")
        first = last_number(havre)
        until(lambda: last_number(havre) > first + 20_000, limit_s=150)
        follower = subprocess.Popen(
            [DOCKER, "logs", "-f", "--tail", "1", "talks"], env=havre.environment(), stdout=subprocess.PIPE
        )
        assert follower.stdout is not None
        for _ in range(2000):
            assert follower.stdout.readline()
        follower.kill()
        follower.wait()
        follower.stdout.close()
        assert memory_kb(havre.pid) - before < 32 << 10
        havre.docker("stop", "-t", "20", "talks", check=True)
    assert havre.out("inspect", "-f", "{{.State.ExitCode}}", "talks") == "5"


def last_number(havre: Havre) -> int:
    return int((havre.out("logs", "--tail", "1", "talks").split() or ["line", "0"])[1])


def test_handles_of_deaf_readers_come_back(havre: Havre) -> None:
    havre.out("run", "-d", "--name", "talks", "busybox", "sh", "-c", "yes | head -c 5m; sleep 1000")
    havre.docker("logs", "--tail", "1", "talks", check=True)
    before = len(os.listdir(f"/proc/{havre.pid}/fd"))
    clients = []
    for _ in range(20):
        deaf = socket.socket(socket.AF_UNIX)
        deaf.connect(str(havre.socket))
        deaf.sendall(b"GET /v1.41/containers/talks/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        deaf.recv(12)
        clients.append(deaf)
    for deaf in clients:
        deaf.close()
    until(lambda: len(os.listdir(f"/proc/{havre.pid}/fd")) <= before + 2)
