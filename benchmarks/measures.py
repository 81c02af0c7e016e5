"""The measures: each takes an engine and gives one number, in seconds or bytes, or requests a second."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.engines import Engine, Havre, run_client
from tests.support.http import Api, UnixConnection

PARALLEL = 8
STARTS = 20
IDLE = 20
LISTED = 50
_STILL_BYTES = 200_000


def _create(api: Api, network: str, *command: str) -> str:
    body = {"Image": "busybox", "Cmd": list(command), "HostConfig": {"NetworkMode": network}}
    made = api.post("/containers/create", body)
    assert made.status == 201, made.body
    return str(made.json["Id"])


def run_once(api: Api, network: str) -> float:
    """Create, start, wait and delete one `echo hi`."""
    started = time.perf_counter()
    identifier = _create(api, network, "echo", "hi")
    assert api.post(f"/containers/{identifier}/start").status == 204
    assert api.post(f"/containers/{identifier}/wait").json["StatusCode"] == 0
    assert api.delete(f"/containers/{identifier}").status == 204
    return time.perf_counter() - started


@contextmanager
def idle(engine: Engine, count: int, network: str = "none") -> Iterator[list[str]]:
    """*count* running containers that sleep."""
    api = engine.api()
    made = []
    try:
        for _ in range(count):
            made.append(_create(api, network, "sleep", "100000"))
            assert api.post(f"/containers/{made[-1]}/start").status == 204
        yield made
    finally:
        for identifier in made:
            api.delete(f"/containers/{identifier}", force="1")


def exec_once(api: Api, container: str) -> float:
    """One `true` in a running container, from the request to its end; the output is read to its end."""
    started = time.perf_counter()
    made = api.post(f"/containers/{container}/exec", {"Cmd": ["true"], "AttachStdout": True})
    answer = api.post(f"/exec/{made.json['Id']}/start", {"Detach": False})
    assert answer.status in (101, 200), answer.status
    while api.get(f"/exec/{made.json['Id']}/json").json["Running"]:
        pass
    api.close()  # the connection was taken over
    return time.perf_counter() - started


def parallel_starts(engine: Engine) -> float:
    """Starts a second, eight at a time: create, start, wait and delete of STARTS containers."""

    def one(_: int) -> None:
        run_once(engine.api(), "none")

    started = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(one, range(STARTS)))
    return STARTS / (time.perf_counter() - started)


def memory_per_container(engine: Engine) -> float:
    """What IDLE idle containers add to the PSS of all processes of the engine, by container, in bytes."""
    before = settled_pss(engine)
    with idle(engine, IDLE):
        return (settled_pss(engine) - before) / IDLE


def settled_pss(engine: Engine) -> int:
    """The PSS once nothing moves any more: the same twice, a second apart, or what it is after ten."""
    last = engine_pss(engine)
    for _ in range(10):
        time.sleep(1)
        now = engine_pss(engine)
        if abs(now - last) < _STILL_BYTES:
            return now
        last = now
    return last


def engine_pss(engine: Engine) -> int:
    """The PSS of every process in the engine's test host: daemon, launcher, shims, proxies; no container."""
    namespace = os.stat(engine.host.netns)
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            own = os.stat(folder / "ns/net")
            if (own.st_dev, own.st_ino) == (namespace.st_dev, namespace.st_ino):
                total += process_pss(folder)
    return total


def process_pss(folder: Path) -> int:
    """The PSS of the process of this folder of /proc, in bytes."""
    for line in (folder / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def list_rate(engine: Engine, requests: int) -> float:
    """GET /containers/json requests a second on one connection; LISTED containers exist."""
    asked = b"GET /v1.41/containers/json?all=1 HTTP/1.1\r\nHost: bench\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(engine.socket))
        started = time.perf_counter()
        for _ in range(requests):
            connection.sendall(asked)
            _read_answer(connection)
        return requests / (time.perf_counter() - started)


def _read_answer(connection: socket.socket) -> None:
    """One whole answer, and no more work than its bounds need: the client must not be what is measured."""
    data = connection.recv(1 << 20)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += connection.recv(1 << 20)
    head = data[:end].lower()
    assert head.startswith(b"http/1.1 200"), head
    _, told, length = head.partition(b"content-length:")
    if told:
        left = end + 4 + int(length.split(b"\r\n", 1)[0]) - len(data)
        while left > 0:
            left -= len(connection.recv(1 << 20))
    else:
        while not data.endswith(b"\r\n0\r\n\r\n"):
            data = data[-8:] + connection.recv(1 << 20)


def cold_start(engine: Engine) -> float:
    """From the start of the daemon's process to the first answer of /_ping; its folders exist already."""
    started = time.perf_counter()
    engine.start(wait=False)
    while True:
        with suppress(OSError):
            connection = UnixConnection(engine.socket)
            connection.request("GET", "/_ping")
            if connection.getresponse().status == 200:
                break
        time.sleep(0.001)
    took = time.perf_counter() - started
    connection.close()
    engine.stop()
    return took


def ps_command(engine: Engine) -> float:
    """Wall time of one `ps` of the engine's own command line."""
    program = "docker"
    if isinstance(engine, Havre):
        program = str(Path(engine.command()[0]).with_name("havre"))
    started = time.perf_counter()
    run_client([program, "ps"], engine.environment(), check=True, stdin=None, timeout_s=60)
    return time.perf_counter() - started
