"""A-03: clients that go at any moment leave no task, terminal, handle or process behind."""

from __future__ import annotations

import io
import json
import os
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root

GONE_S = 30


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> None:
    havre.remove_all()


def handles(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def until(reached: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + GONE_S
    while not reached():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def vanish(havre: Havre, request: str, body: object, phase: int) -> None:
    """Send a part of the request, or all, or read a part of the answer; then go without a word."""
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{request} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    if "attach" in request or "/start" in request:
        head += "Upgrade: tcp\r\nConnection: Upgrade\r\n"
    whole = head.encode() + b"\r\n" + data
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(GONE_S)
        client.connect(str(havre.socket))
        if phase == 0:
            client.sendall(whole[: len(whole) // 2])
            return
        client.sendall(whole)
        if phase >= 2:
            assert client.recv(64)
        if phase == 3:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@pytest.mark.parametrize("terminal", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("phase", range(4), ids=["half sent", "sent", "answered", "reset"])
def test_streams_of_a_container(havre: Havre, phase: int, *, terminal: bool) -> None:
    """CVE-2022-23471, CVE-2025-64329."""
    flags = ["-t"] if terminal else []
    name = havre.out("run", "-d", "-i", *flags, "busybox", "sh", "-c", "while :; do echo x; sleep 0.1; done")
    shim = int(Path(f"/proc/{havre.out('inspect', '-f', '{{.State.Pid}}', name)}/stat").read_text().split()[3])
    vanish(havre, f"GET /v1.41/containers/{name}/logs?follow=1&stdout=1", None, 2)
    time.sleep(0.5)  # pools fill now
    before, of_shim = handles(havre.pid), handles(shim)
    for request in (
        f"POST /v1.41/containers/{name}/attach?stream=1&stdin=1&stdout=1&stderr=1",
        f"GET /v1.41/containers/{name}/logs?follow=1&stdout=1&stderr=1",
        f"GET /v1.41/containers/{name}/stats",
        f"POST /v1.41/containers/{name}/wait?condition=removed",
        "GET /v1.41/events",
        f"GET /v1.41/containers/{name}/export",
    ):
        for _ in range(5):
            vanish(havre, request, None, phase)
    until(lambda: handles(havre.pid) <= before + 2, lambda: open_files(havre.pid))
    until(lambda: handles(shim) <= of_shim + 2, lambda: open_files(shim))
    assert havre.out("inspect", "-f", "{{.State.Running}}", name) == "true"


def open_files(pid: int) -> list[str]:
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return sorted(found)


@pytest.mark.parametrize("terminal", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("phase", range(4), ids=["half sent", "sent", "answered", "reset"])
def test_exec_sessions(havre: Havre, phase: int, *, terminal: bool) -> None:
    name = havre.out("run", "-d", "busybox", "sleep", "1000")
    api = havre.api()
    havre.out("exec", name, "true")
    shim = int(Path(f"/proc/{havre.out('inspect', '-f', '{{.State.Pid}}', name)}/stat").read_text().split()[3])
    before, of_shim = handles(havre.pid), handles(shim)
    wish = {"Cmd": ["sh", "-c", "echo x; read y"], "Tty": terminal}
    wish |= {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
    for _ in range(5):
        made = api.post(f"/containers/{name}/exec", wish).json["Id"]
        vanish(havre, f"POST /v1.41/exec/{made}/start", {"Tty": terminal}, phase)

    def ended() -> bool:
        if terminal:  # what reads a terminal never hears an end: it goes on, as with Docker
            havre.docker("exec", name, "killall", "-9", "sh")  # again and again: the last one may just have begun
        return havre.out("top", name).count("\n") == 1

    until(ended, lambda: havre.out("top", name))
    until(lambda: handles(havre.pid) <= before + 2, lambda: open_files(havre.pid))
    until(lambda: handles(shim) <= of_shim + 2, lambda: open_files(shim))
    api.close()


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_builds(havre: Havre, phase: int) -> None:
    """The step that ran is ended, with what it had mounted."""
    mounts = own_mounts(havre)
    before = handles(havre.pid)
    context = havre.folder / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 24601\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(context / "Dockerfile", "Dockerfile")
    data = buffer.getvalue()
    head = "POST /v1.41/build?nocache=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n"
    head += f"Content-Length: {len(data)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(GONE_S)
        client.connect(str(havre.socket))
        client.sendall(head.encode() + (data[:700] if phase == 0 else data))
        heard = b""
        while phase == 2 and b"begun" not in heard:
            heard += client.recv(4096)
    until(lambda: not sleeping(), sleeping)
    until(lambda: handles(havre.pid) <= before + 3, lambda: open_files(havre.pid))
    until(lambda: own_mounts(havre) <= mounts)


def own_mounts(havre: Havre) -> int:
    lines = Path(f"/proc/{havre.pid}/mountinfo").read_text().splitlines()
    return sum(str(havre.folder) in line for line in lines)


def sleeping() -> list[str]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if Path(f"/proc/{name}/cmdline").read_bytes() == b"sleep\x0024601\x00":
                    found.append(name)
            except OSError:
                continue
    return found
