"""How long `/_ping` takes while containers come and go beside idle ones and followers of a log, and what they leave.

python -m benchmarks.churn [LIVES] [IDLE] [FOLLOWERS]
"""

from __future__ import annotations

import multiprocessing
import os
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from benchmarks.measures import PARALLEL, idle, process_pss, run_once
from tests.support import leaks
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host
from tests.support.images import busybox_tar

_PAUSE_S: Final = 0.01
_SETTLE_S: Final = 30
_TALK: Final = "while :; do echo a line that is followed; sleep 0.05; done"
_KINDS: Final = ("mounts", "links", "netns", "processes")


def main() -> None:
    """Measure Havre, then the reference, and print a table."""
    asked = [int(word) for word in sys.argv[1:]]
    lives, resting, followers = asked + [1000, 200, 50][len(asked) :]
    print(f"{lives} lives, {PARALLEL} at a time, {resting} idle, {followers} followers", flush=True)
    print("| engine | lives a second | p50 | p99 | longest | left behind | daemon grew by |")
    print("|---" * 7 + "|", flush=True)
    for kind in (Havre, Reference):
        folder = tempfile.TemporaryDirectory(prefix="hvbench", ignore_cleanup_errors=True)
        with folder as place, new_host() as host:
            engine = kind(host, Path(place, "e"), ["--cgroup-parent", f"/{host.name}"])
            with running(engine):
                engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
                print(f"| {engine.NAME} | {_measure(engine, lives, resting, followers)} |", flush=True)
            _remove_parent(host.name)


def _measure(engine: Engine, lives: int, resting: int, followers: int) -> str:
    _churn(engine, 5 * PARALLEL)  # pools and caches fill now
    with ExitStack() as undo:
        undo.enter_context(idle(engine, resting))
        undo.enter_context(_followed(engine, followers))
        before, memory = _held(engine), process_pss(Path(f"/proc/{engine.pid}"))
        with _pinged(engine) as times_ms:
            began = time.perf_counter()
            _churn(engine, lives)
            rate = lives / (time.perf_counter() - began)
        left = _settled(engine, before)
        grown = (process_pss(Path(f"/proc/{engine.pid}")) - memory) / 1e6
    found = sorted(times_ms)
    p50, p99 = (found[int(len(found) * part)] for part in (0.5, 0.99))
    return f"{rate:.1f} | {p50:.1f} ms | {p99:.1f} ms | {found[-1]:.1f} ms | {left} | {grown:+.1f} MB"


def _churn(engine: Engine, count: int) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda _: run_once(engine.api(), "bridge"), range(count)))


@contextmanager
def _followed(engine: Engine, count: int) -> Iterator[None]:
    """*count* connections that follow the log of one container that talks; a process of its own reads them."""
    if not count:
        yield
        return
    name = engine.out("run", "-d", "--net", "none", "busybox", "sh", "-c", _TALK)
    reader = multiprocessing.get_context("fork").Process(target=_follow, args=(engine.socket, name, count))
    reader.start()
    try:
        yield
    finally:
        reader.kill()
        reader.join()
        engine.docker("rm", "-f", name, check=True)


def _follow(path: Path, name: str, count: int) -> None:
    chosen = selectors.DefaultSelector()
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.sendall(f"GET /v1.41/containers/{name}/logs?stdout=1&follow=1 HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        chosen.register(client, selectors.EVENT_READ, client)
    while True:
        for key, _ in chosen.select():
            key.data.recv(1 << 16)


@contextmanager
def _pinged(engine: Engine) -> Iterator[list[float]]:
    """What each `/_ping` took in milliseconds, once the block is over; asked by a process that has no other threads."""
    times_ms: list[float] = []
    ours, theirs = multiprocessing.Pipe()
    asker = multiprocessing.get_context("fork").Process(target=_ask, args=(engine, theirs))
    asker.start()
    theirs.close()  # an asker that fails is an end of file here
    try:
        yield times_ms
        ours.send(None)
        times_ms += ours.recv()
    finally:
        asker.kill()
        asker.join()


def _ask(engine: Engine, until: Connection) -> None:
    api, times_ms = engine.api(""), list[float]()
    while not until.poll(_PAUSE_S):
        before = time.perf_counter()
        assert api.get("/_ping").status == 200
        times_ms.append((time.perf_counter() - before) * 1000)
    until.send(times_ms)


def _held(engine: Engine) -> dict[str, set[str]]:
    taken = leaks.take(engine.host, engine.data_root, engine.exec_root, engine.pid)
    held = {kind: {str(name) for name in getattr(taken, kind)} for kind in _KINDS}
    held["mounts"] = {path for path in held["mounts"] if path.startswith(str(engine.folder))}
    held["cgroups"] = {path for path in map(str, taken.cgroups) if f"/{engine.host.name}/" in path}
    held["descriptors"] = {str(number) for number in range(len(os.listdir(f"/proc/{engine.pid}/fd")))}
    return held


def _settled(engine: Engine, before: dict[str, set[str]]) -> str:
    """Counts of what is new since *before*, once nothing is or patience ends; what is kept ready does not count."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        after = _held(engine)
        extra = {kind: len([n for n in after[kind] - before[kind] if "pool" not in n]) for kind in before}
        if not any(extra.values()) or time.monotonic() > deadline:
            return ", ".join(f"{number} {kind}" for kind, number in extra.items() if number) or "nothing"
        time.sleep(0.1)


def _remove_parent(name: str) -> None:
    for group in Path("/sys/fs/cgroup").glob(f"*/{name}"):
        with suppress(OSError):
            group.rmdir()


if __name__ == "__main__":
    main()
