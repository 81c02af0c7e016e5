"""Builds beside the reference engine's classic builder, interleaved: python -m benchmarks.builds [ROUNDS]."""

from __future__ import annotations

import io
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host
from tests.support.http import UnixConnection
from tests.support.images import busybox_tar

_TWELVE = (
    "FROM busybox\nARG V=1\nENV A=$V\nWORKDIR /app\nRUN echo one > one\nRUN mkdir d && echo two > d/two\n"
    'COPY a.txt b.txt ./\nRUN cat a.txt b.txt > all\nRUN rm one\nLABEL l=1\nRUN ls > listing\nCMD ["cat", "all"]\n'
)
_STAGES = (
    "FROM busybox AS a\nRUN sleep 1 && echo a > /a\nFROM busybox AS b\nRUN sleep 1 && echo b > /b\n"
    "FROM busybox AS c\nRUN sleep 1 && echo c > /c\nFROM busybox\n"
    "COPY --from=a /a /\nCOPY --from=b /b /\nCOPY --from=c /c /\n"
)
_BIG_FILES = 200


def archive(dockerfile: str, files: dict[str, bytes]) -> bytes:
    """A context."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in {"Dockerfile": dockerfile.encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def build(engine: Engine, context: bytes, *, cached: bool) -> float:
    """The seconds of one build, from the request to its last line."""
    connection = UnixConnection(engine.socket, 300)
    started = time.perf_counter()
    target = f"/v1.41/build?t=bench{'' if cached else '&nocache=1'}"
    connection.request("POST", target, context, {"Content-Type": "application/x-tar"})
    lines = connection.getresponse().read().splitlines()
    taken = time.perf_counter() - started
    connection.close()
    assert "Successfully tagged" in json.loads(lines[-1]).get("stream", ""), lines[-1]
    return taken


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    small = archive(_TWELVE, {"a.txt": b"a", "b.txt": b"b"})
    big = archive("FROM busybox\nCOPY . /big\n", {f"f{n}": os.urandom(1 << 20) for n in range(_BIG_FILES)})
    stages = archive(_STAGES, {})
    with (
        tempfile.TemporaryDirectory(prefix="hvbuilds", ignore_cleanup_errors=True) as folder,
        new_host() as ours,
        new_host() as theirs,
    ):
        engines = (Havre(ours, Path(folder, "h")), Reference(theirs, Path(folder, "r")))
        print("| measure | Havre | reference | ratio | goal |\n|---|---|---|---|---|", flush=True)
        with running(engines[0]), running(engines[1]):
            for engine in engines:
                engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
            _compare(engines, "twelve steps, cold", "x 5", rounds, lambda engine: build(engine, small, cached=False))
            _compare(engines, "twelve steps, cached", "x 3", rounds, lambda engine: build(engine, small, cached=True))
            _compare(
                engines, "200 MB of context", "x 2", max(3, rounds // 2), lambda one: build(one, big, cached=False)
            )
            _compare(
                engines, "three stages of a second", "the slowest", 2, lambda one: build(one, stages, cached=False)
            )


def _compare(
    engines: tuple[Engine, Engine], name: str, goal: str, rounds: int, measure: Callable[[Engine], float]
) -> None:
    """*rounds* of each, in turn, after one of each that does not count."""
    found: dict[str, list[float]] = {engine.NAME: [] for engine in engines}
    for number in range(rounds + 1):
        for engine in engines:
            value = measure(engine)
            if number:
                found[engine.NAME].append(value)
    ours, theirs = (statistics.median(found[engine.NAME]) for engine in engines)
    print(f"| {name} | {ours * 1000:.0f} ms | {theirs * 1000:.0f} ms | x {theirs / ours:.1f} | {goal} |", flush=True)


if __name__ == "__main__":
    main()
