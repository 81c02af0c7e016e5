"""E-02, E-07, E-08: kills at random moments, lives that fail, many clients at once; nothing lost, nothing left."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import leaks
from tests.support.engines import Havre
from tests.support.hosts import Host
from tests.support.http import Api

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

STATES = {"created", "running", "paused", "restarting", "removing", "exited", "dead"}
KINDS = ("links", "netns", "files")
_PATIENCE_S = 60


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path / "hv")
    made.start()
    made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    yield made
    if made.process is not None and made.process.poll() is not None:
        made.start()
    made.remove_all()
    made.stop()


def seeded() -> random.Random:
    """A failing run tells its seed; HAVRE_SOAK_SEED takes it up again."""
    seed = os.environ.get("HAVRE_SOAK_SEED") or os.urandom(4).hex()
    print(f"HAVRE_SOAK_SEED={seed}")
    return random.Random(seed)


def settled(engine: Havre, before: leaks.Snapshot) -> leaks.Snapshot:
    """The machine once background removal has come to its end."""
    deadline = time.monotonic() + _PATIENCE_S
    now = taken(engine)
    while time.monotonic() < deadline:
        if not any(added(now, before, kind) for kind in KINDS) and now.descriptors <= before.descriptors + 2:
            break
        time.sleep(0.5)
        now = taken(engine)
    return now


def added(now: leaks.Snapshot, before: leaks.Snapshot, kind: str) -> set[str]:
    return {name for name in getattr(now, kind) - getattr(before, kind) if "pool" not in name}


def taken(engine: Havre) -> leaks.Snapshot:
    return leaks.take(engine.host, engine.data_root, engine.exec_root, engine.pid)


def assert_nothing_new(engine: Havre, before: leaks.Snapshot, memory_kb: int) -> None:
    after = settled(engine, before)
    for kind in KINDS:
        assert not added(after, before, kind), kind
    own = str(engine.folder)
    assert not {mount for mount in after.mounts - before.mounts if own in mount}
    assert len(after.processes) <= len(before.processes)
    assert after.descriptors <= before.descriptors + 2
    assert resident_kb(engine.pid) - memory_kb < 16 << 10


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS"))


# -- E-07

PLANNED: list[tuple[dict[str, Any], str]] = [
    ({"Cmd": ["nosuch"]}, "command"),
    ({"Cmd": ["true"], "HostConfig": {"Binds": ["/etc/passwd:/tmp"]}}, "mount"),
    ({"Cmd": ["true"], "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8099"}]}}}, "port"),
    ({"Cmd": ["true"], "HostConfig": {"Memory": 6 << 20, "CpuRealtimeRuntime": 10**9}}, "cgroup"),
    ({"Cmd": ["true"], "User": "nosuch"}, "user"),
]


def one_life(api: Api, number: int, chance: random.Random) -> None:
    """Created, started, waited for and removed; one of five is made to fail at its start."""
    fails = number % 5 == 0
    wish: dict[str, Any] = PLANNED[(number // 5) % len(PLANNED)][0] if fails else {"Cmd": ["echo", str(number)]}
    host = {"NetworkMode": chance.choice(["none", "bridge", "host"])} if not fails else {}
    body = {"Image": "busybox", **wish, "HostConfig": {**host, **wish.get("HostConfig", {})}}
    made = api.post("/containers/create", body)
    if made.status != 201:
        assert made.status == 400, made.body
        return
    identity = made.json["Id"]
    started = api.post(f"/containers/{identity}/start")
    if started.status == 204:
        assert api.post(f"/containers/{identity}/wait").json["StatusCode"] in {0, 1, 126, 127, 128}
    else:
        assert fails, started.body
    assert api.delete(f"/containers/{identity}", force="1", v="1").status == 204


def live_and_die(engine: Havre, count: int, at_once: int) -> None:
    chance = seeded()
    failures: list[BaseException] = []
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        with closing(engine.api("1.50")) as api:
            while not failures:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                try:
                    one_life(api, number, chance)
                except BaseException as failed:  # noqa: BLE001  told by the main thread
                    failures.append(failed)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def churn(engine: Havre, count: int) -> None:
    holder = engine.out("run", "-d", "-p", "8099:80", "busybox", "sleep", "10000")
    live_and_die(engine, 40, 8)  # pools and caches fill now
    time.sleep(2)
    before, memory = taken(engine), resident_kb(engine.pid)
    live_and_die(engine, count, 8)
    assert_nothing_new(engine, before, memory)
    engine.docker("rm", "-f", holder, check=True)
    assert "Traceback" not in engine.log.read_text()


def test_lives_of_which_a_fifth_fails_leave_nothing(engine: Havre) -> None:
    """E-07, a tenth of it."""
    churn(engine, 100)


@pytest.mark.soak
def test_a_thousand_lives_of_which_a_fifth_fails_leave_nothing(engine: Havre) -> None:
    """E-07."""
    churn(engine, 1000)


# -- E-08


VERBS: list[tuple[str, str, Callable[[random.Random], object]]] = [
    ("POST", "/containers/create?name={name}", lambda _: {"Image": "busybox", "Cmd": ["sleep", "10000"]}),
    ("POST", "/containers/create?name={name}", lambda _: {"Image": "busybox", "Cmd": ["echo", "short"]}),
    ("POST", "/containers/{name}/start", lambda _: None),
    ("POST", "/containers/{name}/start", lambda _: None),
    ("POST", "/containers/{name}/stop?t=0", lambda _: None),
    ("POST", "/containers/{name}/restart?t=0", lambda _: None),
    ("POST", "/containers/{name}/kill?signal=KILL", lambda _: None),
    ("POST", "/containers/{name}/pause", lambda _: None),
    ("POST", "/containers/{name}/unpause", lambda _: None),
    ("POST", "/containers/{name}/rename?name={other}", lambda _: None),
    ("POST", "/containers/{name}/update", lambda chance: {"Memory": chance.choice([32, 64]) << 20, "MemorySwap": -1}),
    ("DELETE", "/containers/{name}?force=1", lambda _: None),
    ("DELETE", "/containers/{name}", lambda _: None),
    ("GET", "/containers/{name}/json", lambda _: None),
    ("GET", "/containers/json?all=1", lambda _: None),
    ("GET", "/containers/{name}/logs?stdout=1", lambda _: None),
    ("GET", "/containers/{name}/top", lambda _: None),
    ("GET", "/containers/{name}/stats?stream=0&one-shot=1", lambda _: None),
    ("POST", "/containers/{name}/exec", lambda _: {"Cmd": ["true"]}),
    ("POST", "/containers/prune", lambda _: None),
]
NAMES = [f"name{number}" for number in range(10)]


def storm(engine: Havre, seconds: float) -> None:
    """Eight clients say what comes to their minds about ten names."""
    chance = seeded()
    broken: list[str] = []
    until = time.monotonic() + seconds

    def client(own: random.Random) -> None:
        with closing(engine.api("1.50")) as api:
            while time.monotonic() < until and not broken:
                method, path, body = own.choice(VERBS)
                target = path.format(name=own.choice(NAMES), other=own.choice(NAMES))
                head, _, query = target.partition("?")
                parts = dict(part.split("=") for part in query.split("&")) if query else {}
                answer = api.call(method, head, body(own), query=dict(parts) or None)
                if answer.status >= 500:
                    broken.append(f"{method} {target}: {answer.status} {answer.body[:300]!r}")
                if head == "/containers/json":
                    broken.extend(wrong_list(answer.json))

    threads = [threading.Thread(target=client, args=(random.Random(chance.random()),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken
    log = engine.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 200 :][:3000]


def wrong_list(rows: list[dict[str, object]]) -> list[str]:
    names = [name for row in rows for name in row["Names"]]  # type: ignore[attr-defined]
    wrong = [] if len(names) == len(set(names)) else [f"a name twice: {sorted(names)}"]
    return wrong + [f"no such state: {row['State']}" for row in rows if row["State"] not in STATES]


def tell_the_truth(engine: Havre) -> None:
    """What is said to run has its process, and nothing else of ours runs."""
    for line in engine.out("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}").splitlines():
        identity, state = line.split()
        pid = int(engine.out("inspect", "-f", "{{.State.Pid}}", identity))
        assert (pid > 0) == (state in {"running", "paused"}), line
        if pid:
            assert Path(f"/proc/{pid}").exists(), line


def test_many_clients_at_once(engine: Havre) -> None:
    """E-08, a few seconds of it."""
    storm(engine, 8)
    tell_the_truth(engine)


@pytest.mark.soak
def test_many_clients_for_a_minute(engine: Havre) -> None:
    """E-08."""
    storm(engine, 10)  # pools and caches fill now
    engine.remove_all()
    time.sleep(2)
    before, memory = taken(engine), resident_kb(engine.pid)
    storm(engine, 60)
    tell_the_truth(engine)
    engine.remove_all()
    assert_nothing_new(engine, before, memory)


# -- E-02


def busy(engine: Havre, stop: threading.Event, acknowledged: dict[str, str], own: random.Random) -> None:
    """Make, start and remove; what was acknowledged is noted at once."""
    while not stop.is_set():
        name = f"k{own.randrange(10**9)}"
        with suppress(OSError, http.client.HTTPException), closing(engine.api("1.50")) as api:
            body = {
                "Image": "busybox",
                "Cmd": ["sleep", "10000"],
                "HostConfig": {"NetworkMode": own.choice(["none", "bridge"])},
            }
            made = api.call("POST", "/containers/create", body, query={"name": name})
            if made.status != 201:
                continue
            acknowledged[name] = "created"
            if own.random() < 0.8 and api.post(f"/containers/{name}/start").status == 204:
                acknowledged[name] = "running"
            if own.random() < 0.6:
                acknowledged[name] = "perhaps"
                if api.delete(f"/containers/{name}", force="1").status == 204:
                    acknowledged[name] = "gone"


def killed_again_and_again(engine: Havre, rounds: int) -> None:
    chance = seeded()
    engine.remove_all()
    time.sleep(2)
    before = taken(engine)
    for turn in range(rounds):
        stop = threading.Event()
        acknowledged: dict[str, str] = {}
        workers = [
            threading.Thread(target=busy, args=(engine, stop, acknowledged, random.Random(chance.random())))
            for _ in range(4)
        ]
        for worker in workers:
            worker.start()
        time.sleep(chance.uniform(0, 0.8))
        engine.kill()
        stop.set()
        for worker in workers:
            worker.join()
        engine.start()
        states = dict(line.split() for line in engine.out("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines())
        for name, said in acknowledged.items():
            found = states.get(name, "gone")
            wanted = {"created": {"created", "running"}, "perhaps": STATES | {"gone"}}.get(said, {said})
            assert found in wanted, (turn, name, said, found)
        tell_the_truth(engine)
        engine.remove_all()
    after = settled(engine, before)
    for kind in KINDS:
        assert not added(after, before, kind), kind
    mine = [folder for folder in after.cgroups if Path(folder).name in json.dumps(sorted(after.files))]
    assert not mine
    assert "Traceback" not in engine.log.read_text()


def test_kills_at_random_moments(engine: Havre) -> None:
    """E-02, a few rounds of it."""
    killed_again_and_again(engine, 5)


@pytest.mark.soak
def test_a_hundred_kills_at_random_moments(engine: Havre) -> None:
    """E-02."""
    killed_again_and_again(engine, 100)
