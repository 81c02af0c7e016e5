"""Restart policies, with real containers and a real client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root
_DEADLINE_S = 30


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    for container in havre.out("ps", "-aq").split():
        havre.docker("rm", "-fv", container, check=True)


def inspect(havre: Havre, name: str) -> dict[str, object]:
    (found,) = json.loads(havre.out("inspect", name))
    state: dict[str, object] = found["State"]
    return {**state, "RestartCount": found["RestartCount"]}


def until(havre: Havre, name: str, wanted: Callable[[dict[str, object]], object]) -> dict[str, object]:
    deadline = time.monotonic() + _DEADLINE_S
    while not wanted(state := inspect(havre, name)):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


def test_on_failure_tries_as_often_as_it_was_told(havre: Havre) -> None:
    made = havre.out("run", "-d", "--name", "one", "--restart", "on-failure:3", "busybox", "sh", "-c", "exit 5")
    state = until(havre, "one", lambda state: state["RestartCount"] == 3 and state["Status"] == "exited")
    assert state["ExitCode"] == 5
    deaths = havre.out(
        "events",
        "--since",
        "1h",
        "--until",
        f"{time.time():.9f}",
        "--filter",
        f"container={made}",
        "--filter",
        "event=die",
    )
    assert len(deaths.splitlines()) == 4


def test_a_clean_end_is_no_failure(havre: Havre) -> None:
    havre.docker("run", "-d", "--name", "one", "--restart", "on-failure", "busybox", "true", check=True)
    havre.docker("wait", "one", check=True)
    assert until(havre, "one", lambda state: state["Status"] == "exited")["RestartCount"] == 0


def test_always_goes_on_until_it_is_stopped(havre: Havre) -> None:
    havre.docker("run", "-d", "--name", "one", "--restart", "always", "busybox", "true", check=True)
    until(havre, "one", lambda state: int(str(state["RestartCount"])) >= 2)
    havre.docker("stop", "one", check=True)
    state = until(havre, "one", lambda state: state["Status"] == "exited")
    assert not state["Restarting"]
    count = state["RestartCount"]
    havre.docker("start", "one", check=True)
    assert until(havre, "one", lambda state: state["RestartCount"] != count)


def test_what_waits_for_its_restart_is_shown_and_refuses(havre: Havre) -> None:
    havre.docker("run", "-d", "--name", "one", "--restart", "always", "busybox", "sh", "-c", "exit 3", check=True)
    until(havre, "one", lambda state: state["Status"] == "restarting" and int(str(state["RestartCount"])) >= 4)
    assert "Restarting (3)" in havre.out("ps", "-a", "--format", "{{.Status}}")
    assert b"is restarting, wait until the container is running" in havre.docker("exec", "one", "true").stderr
    assert (
        b"container is restarting: stop the container before removing or force remove"
        in havre.docker("rm", "one").stderr
    )
    havre.docker("kill", "one", check=True)
    assert inspect(havre, "one")["Status"] == "exited"
    havre.docker("rm", "one", check=True)


def test_a_killed_engine_starts_what_should_run_once(havre: Havre) -> None:
    for policy in ("always", "unless-stopped", "no"):
        havre.docker(
            "run", "-d", "--name", f"runs-{policy}", "--restart", policy, "busybox", "sleep", "300", check=True
        )
        havre.docker(
            "run", "-d", "--name", f"ends-{policy}", "--restart", policy, "busybox", "sleep", "300", check=True
        )
        havre.docker(
            "run", "-d", "--name", f"stop-{policy}", "--restart", policy, "busybox", "sleep", "300", check=True
        )
        havre.docker("stop", "-t", "0", f"stop-{policy}", check=True)
    pids = {name: inspect(havre, name)["Pid"] for name in ("runs-always", "runs-unless-stopped", "runs-no")}
    ending = [int(str(inspect(havre, f"ends-{policy}")["Pid"])) for policy in ("always", "unless-stopped", "no")]
    havre.kill()
    for pid in ending:
        havre.host.run("kill", "-9", str(pid))
    havre.start()
    assert {name: inspect(havre, name)["Pid"] for name in pids} == pids
    for name in ("ends-always", "ends-unless-stopped", "stop-always"):
        until(havre, name, lambda state: state["Status"] == "running")
        assert inspect(havre, name)["RestartCount"] == 0
    assert inspect(havre, "stop-unless-stopped")["Status"] == "exited"
    for name in ("ends-no", "stop-no"):
        assert inspect(havre, name)["Status"] == "exited"
    assert inspect(havre, "ends-no")["ExitCode"] == 137


@pytest.mark.parametrize(
    ("options", "signal", "expected"),
    [
        ((), "TERM", "exited"),
        ((), "HUP", "exited"),
        (("--stop-signal", "QUIT"), "HUP", "running"),
        (("--stop-signal", "QUIT"), "QUIT", "exited"),
    ],
)
def test_a_signal_of_the_user_is_a_stop(havre: Havre, options: tuple[str, ...], signal: str, expected: str) -> None:
    script = "trap 'exit 3' TERM HUP QUIT; touch /ready; while true; do sleep 0.05; done"
    havre.docker(
        "run", "-d", "--name", "one", "--restart", "always", *options, "busybox", "sh", "-c", script, check=True
    )
    deadline = time.monotonic() + _DEADLINE_S
    while havre.docker("exec", "one", "test", "-e", "/ready").returncode:
        assert time.monotonic() < deadline
    havre.docker("kill", "-s", signal, "one", check=True)
    if expected == "exited":
        assert until(havre, "one", lambda state: state["Status"] == "exited")["ExitCode"] == 3
    else:
        until(havre, "one", lambda state: state["RestartCount"] == 1 and state["Status"] == "running")


def test_what_could_not_start_again_is_tried_by_the_next_engine(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    words = ("--restart", "always", "--mount", f"type=bind,source={tmp_path}/file,target=/file")
    havre.docker("run", "-d", "--name", "one", *words, "busybox", "sleep", "300", check=True)
    (tmp_path / "file").rename(tmp_path / "away")
    havre.docker("kill", "one", check=True)
    assert havre.docker("start", "one").returncode == 1
    havre.stop()
    (tmp_path / "away").rename(tmp_path / "file")
    havre.start()
    until(havre, "one", lambda state: state["Status"] == "running" and state["RestartCount"] == 0)


def test_the_next_engine_heeds_what_compose_said_of_dependencies(havre: Havre) -> None:
    """`web` wants `db` healthy, which it is only once told so; `db` wants `init` to have run."""
    depends = {"web": "db:service_healthy:false", "db": "init:service_completed_successfully:false", "init": ""}
    options = {"db": ("--health-cmd", "test -e /well", "--health-interval", "100ms"), "init": ("--restart", "no")}
    for name, said in depends.items():
        labels = {"project": "app", "service": name, "depends_on": said}
        words = [word for key, value in labels.items() for word in ("--label", f"com.docker.compose.{key}={value}")]
        command = ("true",) if name == "init" else ("sleep", "300")
        words += ["--restart", "always", *options.get(name, ())]
        havre.docker("run", "-d", "--name", name, *words, "busybox", *command, check=True)
    until(havre, "init", lambda state: state["Status"] == "exited")
    pids = [int(str(inspect(havre, name)["Pid"])) for name in ("web", "db")]
    havre.kill()
    for pid in pids:
        havre.host.run("kill", "-9", str(pid))
    havre.start()
    until(havre, "db", lambda state: state["Status"] == "running")
    assert inspect(havre, "web")["Status"] == "restarting"
    havre.docker("exec", "db", "touch", "/well", check=True)
    until(havre, "web", lambda state: state["Status"] == "running")
