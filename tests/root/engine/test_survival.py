"""kill -9 of havred: containers go on, and the next havred knows everything about them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root

COUNT = 10


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


def state(engine: Havre, name: str) -> str:
    return engine.out("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}} {{.State.Running}}", name)


def test_ten_containers_outlive_a_kill(engine: Havre) -> None:
    script = "i=0; trap 'exit 42' TERM; while true; do i=$((i+1)); echo $i; sleep 0.05; done"
    names = [f"c{number}" for number in range(COUNT)]
    for name in names:
        engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", script, check=True)
    follower = subprocess.Popen([DOCKER, "logs", "-f", "c0"], env=engine.environment(), stdout=subprocess.PIPE)
    assert follower.stdout is not None
    follower.stdout.readline()
    before = {name: state(engine, name) for name in names}
    engine.kill()
    follower.stdout.close()
    follower.wait(30)
    for line in before.values():
        assert Path("/proc", line.split()[0]).exists()
    engine.start()
    assert {name: state(engine, name) for name in names} == before
    assert sorted(engine.out("ps", "--format", "{{.Names}}").split()) == sorted(names)
    assert engine.out("exec", "c1", "echo", "hi") == "hi"
    engine.docker("stop", "-t", "5", *names, check=True)
    assert {engine.out("inspect", "-f", "{{.State.ExitCode}}", name) for name in names} == {"42"}
    for name in names:
        said = [int(line) for line in engine.out("logs", name).split()]
        assert said == list(range(1, len(said) + 1))


def test_what_ended_meanwhile_is_known(engine: Havre) -> None:
    engine.docker("run", "-d", "--name", "ends", "-i", "busybox", "sh", "-c", "read x; exit 13", check=True)
    engine.docker("run", "-d", "--rm", "--name", "vanishes", "busybox", "sleep", "1000", check=True)
    pids = [int(engine.out("inspect", "-f", "{{.State.Pid}}", name)) for name in ("ends", "vanishes")]
    engine.kill()
    for pid in pids:
        subprocess.run(["kill", "-KILL", str(pid)], check=True)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)
    engine.start()
    assert engine.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends") == "exited 137"
    assert engine.out("ps", "-a", "--format", "{{.Names}}") == "ends"


def wait_started(engine: Havre, name: str) -> None:
    """Until its client has the answer to its start, which may come after the first output."""
    end = time.monotonic() + 60
    while engine.out("inspect", "-f", "{{.State.Running}}", name) != "true":
        assert time.monotonic() < end
    engine.out("version")  # answered after the start, for it was asked later


def test_an_attached_session_outlives_a_kill(engine: Havre) -> None:
    line = [DOCKER, "run", "-i", "--name", "held", "busybox", "cat"]
    with subprocess.Popen(line, env=engine.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"one\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"one\n"
        wait_started(engine, "held")
        engine.kill()
        client.stdin.write(b"two\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"two\n"
        client.stdin.close()
        assert client.stdout.read() == b""
        client.wait(30)
    engine.start()
    assert engine.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "held") == "exited 0"
    assert engine.out("logs", "held") == "one\ntwo"


def test_sigterm_leaves_containers_running(engine: Havre) -> None:
    engine.docker("run", "-d", "--name", "on", "busybox", "sleep", "1000", check=True)
    before = state(engine, "on")
    engine.stop()
    engine.start()
    assert state(engine, "on") == before


def test_the_data_may_move_to_another_place(engine: Havre) -> None:
    script = "cat /v/f /b/f; echo kept > /v/f; echo bound > /b/f"
    bound = engine.folder / "bound"
    bound.mkdir()
    mounts = ("-v", "vol:/v", "-v", f"{bound}:/b", "-v", "/anonymous")
    engine.docker("run", "--name", "moved", *mounts, "busybox", "sh", "-c", script, check=True)
    engine.stop()
    elsewhere = engine.folder / "elsewhere"
    engine.data_root.rename(elsewhere)
    engine.data_root = elsewhere
    engine.start()
    assert engine.out("start", "-a", "moved") == "kept\nbound"
    sources = engine.out("inspect", "-f", "{{range .Mounts}}{{.Source}} {{end}}", "moved").split()
    assert all(Path(source).is_dir() for source in sources)


def test_a_second_havred_on_the_same_data_refuses(engine: Havre) -> None:
    line = engine.host.enter(
        *engine.command(), "--data-root", str(engine.data_root), "--exec-root", f"{engine.exec_root}2"
    )
    line += ["-H", f"unix://{engine.folder}/other.sock", "--pidfile", f"{engine.folder}/other.pid"]
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert str(engine.data_root) in done.stderr
    assert "Traceback" not in done.stderr


def shims_of(pid: int) -> list[int]:
    """The process that holds the container of *pid*, and what that has forked."""
    keeper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    workers = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    return [keeper, *(int(worker) for worker in workers if int(worker) != pid)]


@pytest.mark.parametrize("running", [True, False], ids=["seen", "while-no-engine-runs"])
def test_a_lost_shim_is_the_end_and_its_cause_is_told(engine: Havre, *, running: bool) -> None:
    engine.docker("run", "-d", "--name", "held", "busybox", "sleep", "1000", check=True)
    pid = int(engine.out("inspect", "-f", "{{.State.Pid}}", "held"))
    shims = shims_of(pid)
    if not running:
        engine.kill()
    for shim in shims:
        os.kill(shim, signal.SIGKILL)
    if not running:
        engine.start()
    engine.docker("wait", "held", check=True)
    told = engine.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}", "held")
    assert told == "exited 137 the process that held the container (its shim) was killed, and the container with it"
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    engine.docker("start", "held", check=True)
    assert engine.out("inspect", "-f", "{{.State.Running}} {{.State.Error}}", "held") == "true "


def test_an_engine_without_live_restore_ends_all_by_one_deadline(engine: Havre) -> None:
    engine.stop()
    engine.extra = ["--live-restore=false", "--shutdown-timeout", "1"]
    engine.start()
    deaf, polite = "trap '' TERM; sleep 1000", "trap 'exit 7' TERM; while true; do sleep 0.05; done"
    for name, script in (("deaf1", deaf), ("deaf2", deaf), ("polite", polite)):
        engine.docker("run", "-d", "--name", name, "--restart", "on-failure", "busybox", "sh", "-c", script, check=True)
    engine.stop()
    engine.extra = []
    engine.start()
    line = "{{.State.ExitCode}} {{.RestartCount}}"
    deadline = time.monotonic() + 30
    while engine.out("ps", "-q").count("\n") < 2:  # the policy holds: nobody stopped them by hand
        assert time.monotonic() < deadline
    assert {engine.out("inspect", "-f", line, name) for name in ("deaf1", "deaf2", "polite")} == {"0 0"}
