"""Churn: a thousand containers, eight at a time, leave nothing; many at rest and many readers change nothing."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Self

import pytest

from tests.support import leaks
from tests.support.engines import DOCKER, Havre
from tests.support.hosts import Host

pytestmark = [pytest.mark.root, pytest.mark.soak, pytest.mark.timeout(900)]

COUNT, AT_ONCE, IDLE, READERS = 1000, 8, 200, 50
_PATIENCE_S = 30


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path / "hv", ["--cgroup-parent", f"/{host.name}"])
    made.start()
    made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    yield made
    made.remove_all()
    made.stop()
    deadline = time.monotonic() + _PATIENCE_S
    while groups := list(Path("/sys/fs/cgroup").glob(f"*/{host.name}")):
        assert time.monotonic() < deadline, groups
        for group in groups:  # the child that waited for the next start ends with its launcher
            with suppress(OSError):
                group.rmdir()


class Pings:
    """Asks `/_ping` all the while; how long each answer took, in milliseconds."""

    def __init__(self, engine: Havre) -> None:
        self._engine, self._over, self.times_ms = engine, threading.Event(), list[float]()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        api = self._engine.api("")
        while not self._over.wait(0.02):
            before = time.perf_counter()
            assert api.get("/_ping").status == 200
            self.times_ms.append((time.perf_counter() - before) * 1000)

    def p99(self) -> float:
        return sorted(self.times_ms)[int(len(self.times_ms) * 0.99)]


def one_life(engine: Havre) -> None:
    api = engine.api("1.50")
    made = api.post("/containers/create", {"Image": "busybox", "Cmd": ["true"]})
    identifier = made.json["Id"]
    assert api.post(f"/containers/{identifier}/start").status == 204
    assert api.post(f"/containers/{identifier}/wait").json["StatusCode"] == 0
    assert api.delete(f"/containers/{identifier}", force=True).status == 204
    api.close()


def many(count: int, work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()


def resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def snapshot(engine: Havre) -> leaks.Snapshot:
    taken = leaks.take(engine.host, engine.data_root, engine.exec_root, engine.pid)
    own = frozenset(path for path in taken.cgroups if f"/{engine.host.name}/" in path)
    mounts = frozenset(path for path in taken.mounts if path.startswith(str(engine.folder)))
    return leaks.Snapshot(
        **{**{f.name: getattr(taken, f.name) for f in fields(taken)}, "cgroups": own, "mounts": mounts}
    )


def left_over(engine: Havre, before: leaks.Snapshot) -> dict[str, set[str]]:
    after = snapshot(engine)
    kinds = ("mounts", "links", "cgroups", "netns", "files", "processes")
    extra = {
        kind: {name for name in getattr(after, kind) - getattr(before, kind) if "pool" not in name} for kind in kinds
    }
    return {kind: names for kind, names in extra.items() if names}


def test_a_thousand_lives_leave_nothing(engine: Havre) -> None:
    many(5 * AT_ONCE, lambda: one_life(engine))  # pools and caches fill now
    before, memory = snapshot(engine), resident_kb(engine.pid)
    began = time.monotonic()
    with Pings(engine) as pings:
        many(COUNT, lambda: one_life(engine))
    took = time.monotonic() - began
    deadline = time.monotonic() + _PATIENCE_S
    while left := left_over(engine, before):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert len(os.listdir(f"/proc/{engine.pid}/fd")) <= before.descriptors + 2
    grown = resident_kb(engine.pid) - memory
    print(f"\n{COUNT} lives in {took:.1f} s, /_ping p99 {pings.p99():.1f} ms, the engine grew by {grown} kB")
    assert grown < 4096


def test_many_rest_and_many_read(engine: Havre) -> None:
    asked = {"Image": "busybox", "Cmd": ["sleep", "3000"]}
    made = [engine.api("1.50").post("/containers/create", asked).json["Id"] for _ in range(IDLE)]
    with Pings(engine) as pings:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert set(pool.map(lambda one: engine.api("1.50").post(f"/containers/{one}/start").status, made)) == {204}
        assert len(engine.out("ps", "-q").split()) == IDLE
        script = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); [ $((i % 20)) = 0 ] && sleep 0.05; done"
        engine.docker("run", "-d", "--name", "talks", "busybox", "sh", "-c", script, check=True)
        line = [DOCKER, "logs", "-f", "talks"]
        readers = [subprocess.Popen(line, env=engine.environment(), stdout=subprocess.PIPE) for _ in range(READERS)]
        said = [reader.communicate(timeout=120)[0] for reader in readers]
    assert set(said) == {b"".join(b"line %d\n" % number for number in range(400))}
    print(f"\n{IDLE} at rest, {READERS} readers: /_ping p99 {pings.p99():.1f} ms")
