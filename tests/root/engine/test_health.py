"""Health checks, with real containers and a real client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root
_DEADLINE_S = 30
QUICK = ("--health-interval", "200ms", "--health-timeout", "1s")


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    for container in havre.out("ps", "-aq").split():
        havre.docker("rm", "-fv", container, check=True)


def until(havre: Havre, wanted: Callable[[Any], object]) -> Any:
    deadline = time.monotonic() + _DEADLINE_S
    while not wanted(health := json.loads(havre.out("inspect", "-f", "{{json .State.Health}}", "probed"))):
        assert time.monotonic() < deadline, health
        time.sleep(0.05)
    return health


def run(havre: Havre, command: str, *more: str) -> str:
    words = ("--name", "probed", "--health-cmd", command, *QUICK, *more)
    return havre.out("run", "-d", *words, "busybox", "sleep", "300")


def test_it_turns_with_what_the_probe_finds(havre: Havre) -> None:
    made = run(havre, "cat /ok", "--health-retries", "2")
    assert "(health: starting)" in havre.out("ps", "--format", "{{.Status}}")
    until(havre, lambda health: health["Status"] == "unhealthy")
    havre.docker("exec", "probed", "sh", "-c", "echo well > /ok", check=True)
    health = until(havre, lambda health: health["Status"] == "healthy")
    assert health["FailingStreak"] == 0
    assert health["Log"][-1]["ExitCode"] == 0
    assert health["Log"][-1]["Output"] == "well\n"
    assert "(healthy)" in havre.out("ps", "--format", "{{.Status}}")
    assert havre.out("ps", "-q", "--no-trunc", "--filter", "health=healthy") == made
    assert havre.out("ps", "-q", "--filter", "health=unhealthy") == ""
    filters = ("--filter", f"container={made}", "--filter", "event=health_status")
    told = havre.out("events", "--since", "1h", "--until", f"{time.time():.9f}", *filters, "--format", "{{.Action}}")
    assert told.splitlines()[-2:] == ["health_status: unhealthy", "health_status: healthy"]
    havre.docker("stop", "-t", "0", "probed", check=True)
    assert until(havre, lambda health: health["Status"] == "unhealthy")["Log"]
    havre.docker("start", "probed", check=True)
    assert until(havre, lambda health: health["Status"] == "healthy")["FailingStreak"] == 0


def test_a_probe_that_hangs_is_killed_with_its_children_and_nobody_else(havre: Havre) -> None:
    run(havre, "trap '' TERM; sleep 1234 & sleep 1234", "--health-retries", "1", "--health-interval", "1h")
    havre.docker("exec", "-d", "probed", "sleep", "4321", check=True)
    havre.docker("rm", "-f", "probed", check=True)
    run(havre, "trap '' TERM; sleep 1234 & sleep 1234", "--health-retries", "1")
    havre.docker("exec", "-d", "probed", "sleep", "4321", check=True)
    health = until(havre, lambda health: health["Status"] == "unhealthy")
    assert health["Log"][0]["ExitCode"] == -1
    assert health["Log"][0]["Output"].startswith("Health check exceeded timeout (1s)")
    deadline = time.monotonic() + _DEADLINE_S
    while True:  # the next probe may be under way: what must never be seen is more than one
        processes = havre.out("exec", "probed", "ps", "-o", "args").splitlines()
        assert "sleep 4321" in processes
        assert processes.count("sleep 1234") <= 2
        if len(until(havre, lambda health: health)["Log"]) >= 3 or time.monotonic() > deadline:
            break


@pytest.mark.parametrize("script", ["setsid sleep 1234; exit 1", "(setsid sleep 1234 &); sleep 1234; exit 1"])
def test_a_session_of_its_own_does_not_save_a_child_of_a_probe(havre: Havre, script: str) -> None:
    run(havre, f"test -e /once || {{ touch /once; {script}; }}", "--health-retries", "1")
    until(havre, lambda health: health["Log"])
    until(havre, lambda health: health["Status"] == "healthy")
    assert "sleep 1234" not in havre.out("exec", "probed", "ps", "-o", "args").splitlines()


def test_a_flood_is_cut(havre: Havre) -> None:
    run(havre, "yes | head -c 3000000; exit 1", "--health-retries", "1")
    health = until(havre, lambda health: health["Status"] == "unhealthy")
    assert len(health["Log"][0]["Output"]) == 4096 + 3
    assert health["Log"][0]["ExitCode"] == 1


def test_it_goes_on_after_a_kill_of_the_engine(havre: Havre) -> None:
    run(havre, "true")
    until(havre, lambda health: health["Status"] == "healthy")
    havre.kill()
    havre.start()
    before = until(havre, lambda health: health["Status"] == "healthy")["Log"][-1]["Start"]
    until(havre, lambda health: health["Log"][-1]["Start"] != before)


def test_no_check_no_health(havre: Havre) -> None:
    havre.docker("run", "-d", "--name", "probed", "--no-healthcheck", "busybox", "sleep", "300", check=True)
    assert havre.out("inspect", "-f", "{{json .State.Health}}", "probed") == "null"
    assert havre.out("ps", "-aq", "--filter", "health=none") != ""


@pytest.mark.parametrize(
    ("action", "policy", "expected"),
    [
        ("restart", "no", ("running", 1)),
        ("kill", "no", ("exited", 0)),
        ("kill", "on-failure", ("running", 1)),
        ("stop", "always", ("exited", 0)),
    ],
)
def test_what_is_unhealthy_is_dealt_with(havre: Havre, action: str, policy: str, expected: tuple[str, int]) -> None:
    words = ("--health-cmd", "test ! -e /sick", *QUICK, "--health-retries", "1", "--health-on-failure", action)
    command = ("sh", "-c", "rm -f /sick; trap 'exit 3' TERM; while true; do sleep 0.05; done")
    havre.havre("run", "-d", "--name", "probed", *words, "--restart", policy, "busybox", *command, check=True)
    until(havre, lambda health: health["Status"] == "healthy")
    havre.docker("exec", "probed", "touch", "/sick", check=True)
    deadline = time.monotonic() + _DEADLINE_S
    line = "{{.State.Status}} {{.RestartCount}}"
    while havre.out("inspect", "-f", line, "probed") != f"{expected[0]} {expected[1]}":
        assert time.monotonic() < deadline, havre.out("inspect", "-f", line, "probed")
        time.sleep(0.05)
    if expected[0] == "running":
        until(havre, lambda health: health["Status"] == "healthy")


def test_an_action_that_cannot_be_is_refused(havre: Havre) -> None:
    label = ("--label", "havre.health-on-failure=dance")
    assert b"is none of none, restart, stop, kill" in havre.docker("create", *label, "busybox", "true").stderr
    done = havre.havre("create", "--rm", "--health-on-failure", "restart", "busybox", "true")
    assert b"cannot be started again when it is unhealthy" in done.stderr
