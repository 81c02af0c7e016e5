"""kill -9 of havred at each named step: the next one knows what is, loses nothing acknowledged and leaves nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from havre.engine.steps import STEPS
from tests.support.engines import Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root
_DEADLINE_S = 30
SCRIPT = "trap 'exit 4' TERM; echo up; while true; do sleep 0.05; done"


@pytest.fixture
def havre(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    # Other engines run beside this one: what is left of its own is seen only below a parent of its own.
    engine = Havre(host, tmp_path / "hv", ["--cgroup-parent", f"/{host.name}"])
    engine.start()
    engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    before = left(engine)
    try:
        yield engine
        _leaves_nothing(engine, before)
    finally:
        engine.stop()
    deadline = time.monotonic() + _DEADLINE_S
    while groups := list(Path("/sys/fs/cgroup").glob(f"*/{host.name}")):
        assert time.monotonic() < deadline, groups
        for group in groups:  # the child that waited for the next start ends with its launcher
            with suppress(OSError):
                group.rmdir()


def _leaves_nothing(engine: Havre, before: list[str]) -> None:
    if engine.process is not None and engine.process.poll() is not None:
        engine.start()
    engine.remove_all()
    engine.docker("volume", "prune", "-af", check=True)
    engine.docker("rmi", "made")
    deadline = time.monotonic() + _DEADLINE_S
    while left(engine) != before:  # files go in the background
        assert time.monotonic() < deadline, set(left(engine)) ^ set(before)
        time.sleep(0.05)


def left(engine: Havre) -> list[str]:
    """What bears the id of a container, and volumes."""
    found = [f"{folder}/{entry}" for folder in folders(engine) if folder.exists() for entry in os.listdir(folder)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [path for path in found if len(path.rpartition("/")[2]) == 64] + [
        line for line in mounts if str(engine.folder) in line and "/netns/" not in line
    ]


def folders(engine: Havre) -> tuple[Path, ...]:
    data, run = engine.data_root, engine.exec_root
    return (
        data / "containers",
        data / "overlay2",
        data / "volumes",
        run,
        run / "mounts",
        Path(f"/sys/fs/cgroup/pids/{engine.host.name}"),
    )


def armed(engine: Havre, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A new engine that kills itself at *step*, on what the old one left."""
    engine.stop()
    monkeypatch.setenv("HAVRE_TEST_KILL_AT", step)
    engine.start()
    monkeypatch.delenv("HAVRE_TEST_KILL_AT")


def fallen(engine: Havre) -> None:
    assert engine.process is not None
    assert engine.process.wait(_DEADLINE_S) == -9


def run(engine: Havre, *more: str) -> str:
    made = engine.out(
        "run", "-d", "--name", "one", "-v", "/etc", "-v", "kept:/kept", *more, "busybox", "sh", "-c", SCRIPT
    )
    deadline = time.monotonic() + _DEADLINE_S
    while "up" not in engine.out("logs", "one"):
        assert time.monotonic() < deadline
    return made


def state(engine: Havre) -> tuple[str, int]:
    (found,) = json.loads(engine.out("inspect", "one"))
    return found["State"]["Status"], found["State"]["ExitCode"]


def steps(verb: str) -> list[str]:
    return [step for step in STEPS if step.startswith(f"{verb}.")]


@pytest.mark.parametrize("step", steps("create"))
def test_create(havre: Havre, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    armed(havre, monkeypatch, step)
    done = havre.docker("create", "--name", "one", "-v", "/etc", "-v", "kept:/etc", "busybox", "true")
    assert done.returncode != 0
    fallen(havre)
    havre.start()
    there = havre.out("ps", "-aq")
    assert bool(there) == (step == "create.recorded")
    if not there:
        assert havre.docker("create", "--name", "one", "busybox", "true").returncode == 0
    havre.docker("start", "one", check=True)


@pytest.mark.parametrize("step", steps("start"))
@pytest.mark.parametrize("policy", ["no", "always"])
def test_start(havre: Havre, monkeypatch: pytest.MonkeyPatch, step: str, policy: str) -> None:
    words = ["--name", "one", "--restart", policy, "-p", "127.0.0.1:18080:80", "-v", "/etc"]
    havre.docker("create", *words, "busybox", "sh", "-c", SCRIPT, check=True)
    armed(havre, monkeypatch, step)
    assert havre.docker("start", "one").returncode != 0 or step == "start.recorded"
    fallen(havre)
    havre.start()
    runs = step in {"start.launched", "start.recorded"}
    assert state(havre) == (("running", 0) if runs else ("created", 0))
    if not runs:
        havre.docker("start", "one", check=True)
    assert havre.out("exec", "one", "echo", "hi") == "hi"
    havre.docker("stop", "one", check=True)


@pytest.mark.parametrize("step", steps("stop"))
def test_stop(havre: Havre, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    run(havre)
    armed(havre, monkeypatch, step)
    havre.docker("stop", "one")
    fallen(havre)
    havre.start()
    deadline = time.monotonic() + _DEADLINE_S
    while state(havre)[0] == "running":
        assert time.monotonic() < deadline
    assert state(havre) == ("exited", 4)
    assert havre.out("logs", "one") == "up"


@pytest.mark.parametrize("step", ["stop.signalled", "stop.recorded", "start.network", "start.launched"])
@pytest.mark.parametrize("verb", ["restart", "update"])
def test_restart(havre: Havre, monkeypatch: pytest.MonkeyPatch, step: str, verb: str) -> None:
    made = run(havre)
    pid = havre.out("inspect", "-f", "{{.State.Pid}}", "one")
    armed(havre, monkeypatch, step)
    words = ["restart", "one"] if verb == "restart" else ["update", "-e", "A=new", "one"]
    assert havre.havre(*words).returncode != 0
    fallen(havre)
    havre.start()
    deadline = time.monotonic() + _DEADLINE_S
    mark = havre.data_root / "containers" / made / "restarting"
    while state(havre)[0] != "running" or havre.out("inspect", "-f", "{{.State.Pid}}", "one") == pid or mark.exists():
        assert time.monotonic() < deadline, state(havre)
    assert havre.out("exec", "one", "echo", "hi") == "hi"


@pytest.mark.parametrize("step", steps("remove"))
def test_remove(havre: Havre, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    run(havre)
    havre.docker("stop", "one", check=True)
    armed(havre, monkeypatch, step)
    done = havre.docker("rm", "-v", "one")
    assert done.returncode != 0 or step == "remove.files"
    fallen(havre)
    havre.start()
    there = havre.out("ps", "-aq")
    assert bool(there) == (step == "remove.marked")
    if there:
        assert state(havre) == ("exited", 4)
        havre.docker("rm", "-v", "one", check=True)
    assert "kept" in havre.out("volume", "ls", "-q").split()


@pytest.mark.parametrize("step", steps("commit"))
def test_commit(havre: Havre, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    run(havre)
    havre.docker("exec", "one", "touch", "/new", check=True)
    armed(havre, monkeypatch, step)
    assert havre.docker("commit", "one", "made").returncode != 0
    fallen(havre)
    havre.start()
    assert state(havre) == ("running", 0)
    assert havre.out("exec", "one", "echo", "hi") == "hi"  # it is not frozen
    if havre.docker("image", "inspect", "made").returncode:
        havre.docker("commit", "one", "made", check=True)
    assert havre.out("run", "--rm", "made", "ls", "/new") == "/new"


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("step", steps("put"))
def test_copy_in(havre: Havre, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, *, alive: bool) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(20):
        (source / str(number)).write_bytes(b"x" * 100_000)
    run(havre)
    if not alive:
        havre.docker("stop", "one", check=True)
    armed(havre, monkeypatch, step)
    assert havre.docker("cp", str(source), "one:/copied").returncode != 0
    fallen(havre)
    havre.start()
    assert state(havre) == (("running", 0) if alive else ("exited", 4))
    if step == "put.begun":
        assert "/copied" not in havre.out("diff", "one")
        havre.docker("cp", str(source), "one:/copied", check=True)
    back = tmp_path / "back"
    havre.docker("cp", "one:/copied", str(back), check=True)
    assert {path.name: path.read_bytes() for path in back.iterdir()} == {
        path.name: path.read_bytes() for path in source.iterdir()
    }


@pytest.mark.parametrize("step", steps("take"))
def test_copy_out(havre: Havre, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str) -> None:
    run(havre)
    havre.docker("exec", "one", "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null", check=True)
    armed(havre, monkeypatch, step)
    assert havre.docker("cp", "one:/big", str(tmp_path / "half")).returncode != 0
    fallen(havre)
    havre.start()
    assert state(havre) == ("running", 0)
    havre.docker("cp", "one:/big", str(tmp_path / "whole"), check=True)
    assert (tmp_path / "whole").stat().st_size == 8 << 20


def test_every_step_has_its_test() -> None:
    tested = {"create", "start", "stop", "remove", "commit", "put", "take"}
    assert {step.partition(".")[0] for step in STEPS} == tested
