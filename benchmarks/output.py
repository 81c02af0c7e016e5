"""What containers say: written to the log, read back, and given to an attached client.

python -m benchmarks.output [ROUNDS]
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.raw import drain, received
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host
from tests.support.images import busybox_tar

SAID_MB: Final = 32
_LINE: Final = b"x" * 99 + b"\n"
_SAID: Final = "said.txt"
_FRAME_BYTES: Final = SAID_MB * 1_000_000


def measure_log_writing(engine: Engine) -> float:
    """MB a second that a container without clients says into its json-file."""
    identifier = _create(engine, "json-file")
    try:
        return SAID_MB / _run(engine, identifier)
    finally:
        engine.api().delete(f"/containers/{identifier}", force="1")


def measure_log_reading(engine: Engine) -> float:
    """MB a second of a json-file that `GET /containers/{id}/logs` gives back."""
    identifier = _create(engine, "json-file")
    try:
        _run(engine, identifier)
        started = time.perf_counter()
        got = received(engine, f"/containers/{identifier}/logs?stdout=1")
        took = time.perf_counter() - started
        assert got > _FRAME_BYTES, got
        return SAID_MB / took
    finally:
        engine.api().delete(f"/containers/{identifier}", force="1")


def measure_attached(driver: str, engine: Engine) -> float:
    """MB a second that reach an attached client, from the start of the container to its last byte."""
    identifier = _create(engine, driver)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(engine.socket))
            path = f"/v1.41/containers/{identifier}/attach?stream=1&stdout=1"
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1)
            started = time.perf_counter()
            assert engine.api().post(f"/containers/{identifier}/start").status == 204
            got = drain(client)
            took = time.perf_counter() - started
        assert got > _FRAME_BYTES, got
        return SAID_MB / took
    finally:
        engine.api().delete(f"/containers/{identifier}", force="1")


def _create(engine: Engine, driver: str) -> str:
    said = engine.folder / _SAID
    if not said.exists():
        said.write_bytes(_LINE * (_FRAME_BYTES // len(_LINE)))
    # A file that is in memory, since a program that makes its lines would be what is measured.
    host = {"NetworkMode": "none", "LogConfig": {"Type": driver}, "Binds": [f"{said}:/{_SAID}:ro"]}
    body = {"Image": "busybox", "Cmd": ["cat", f"/{_SAID}"], "HostConfig": host}
    made = engine.api().post("/containers/create", body)
    assert made.status == 201, made.body
    return str(made.json["Id"])


def _run(engine: Engine, identifier: str) -> float:
    api = engine.api()
    started = time.perf_counter()
    assert api.post(f"/containers/{identifier}/start").status == 204
    assert api.post(f"/containers/{identifier}/wait").json["StatusCode"] == 0
    return time.perf_counter() - started


MEASURES: Final[tuple[tuple[str, Callable[[Engine], float], str], ...]] = (
    ("log writing, json-file", measure_log_writing, "x 5"),
    ("log reading, json-file", measure_log_reading, "x 5"),
    ("attached, json-file", lambda engine: measure_attached("json-file", engine), "x 5"),
    ("attached, no log", lambda engine: measure_attached("none", engine), "x 1"),
)
"""Name, measure in MB a second, and the ratio to reach."""


def main() -> None:
    """Measure both engines in turn and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with (
        tempfile.TemporaryDirectory(prefix="hvbench", ignore_cleanup_errors=True) as folder,
        new_host() as ours,
        new_host() as theirs,
    ):
        engines: list[Engine] = [Havre(ours, Path(folder, "h")), Reference(theirs, Path(folder, "r"))]
        with running(engines[0]), running(engines[1]):
            for engine in engines:
                engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
            print("| measure | Havre | reference | ratio | goal |\n|---|---|---|---|---|", flush=True)
            for name, measure, goal in MEASURES:
                found: list[list[float]] = [[], []]
                for _ in range(rounds):
                    for place, engine in enumerate(engines):
                        found[place].append(measure(engine))
                mine, other = statistics.median(found[0]), statistics.median(found[1])
                print(f"| {name} | {mine:.1f} MB/s | {other:.1f} MB/s | x {mine / other:.1f} | {goal} |", flush=True)


if __name__ == "__main__":
    main()
