"""What goes wrong: told with file and line, and `down` removes everything."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.root.compose.conftest import App

pytestmark = [pytest.mark.root, pytest.mark.reference]

ONE = """
services:
  w:
    image: busybox
    network_mode: none
    command: sh -c "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"
"""


def until(text: bytes, stream: object) -> bytes:
    """Read a stream until *text* was said."""
    said = b""
    deadline = time.monotonic() + 60
    while text not in said:
        assert time.monotonic() < deadline, said
        piece = os.read(stream.fileno(), 65536)  # type: ignore[attr-defined]
        assert piece, said
        said += piece
    return said


def test_a_service_that_never_turns_healthy(app: App) -> None:
    app.write("""
services:
  sick:
    image: busybox
    network_mode: none
    command: sleep 1000
    stop_grace_period: 0s
    healthcheck: {test: "false", interval: 100ms, retries: 2}
  web: {image: busybox, network_mode: none, command: "true", depends_on: {sick: {condition: service_healthy}}}
""")
    failed = app.compose("up", "-d", check=False)
    assert failed.returncode == 1
    place = f"{app.folder}/compose.yaml:3: service 'sick'"
    assert f"{place}: dependency failed to start: container {app.name}-sick-1 is unhealthy" in failed.stderr.decode()
    waited = app.compose("up", "-d", "--wait", "sick", check=False)
    assert waited.returncode == 1
    assert b"is unhealthy" in waited.stderr


def test_wait_has_an_end(app: App) -> None:
    app.write("""
services:
  slow:
    image: busybox
    network_mode: none
    command: sleep 1000
    stop_grace_period: 0s
    healthcheck: {test: "false", interval: 100s, start_period: 100s}
""")
    waited = app.compose("up", "-d", "--wait", "--wait-timeout", "1", check=False)
    assert waited.returncode == 1
    assert b"application not healthy after 1s" in waited.stderr


def test_wait_takes_one_shot_services_that_ended_well(app: App) -> None:
    app.write("""
services:
  good: {image: busybox, network_mode: none, command: sleep 0.5}
  bad: {image: busybox, network_mode: none, command: "false"}
  after:
    image: busybox
    network_mode: none
    command: "true"
    depends_on: {bad: {condition: service_completed_successfully}, good: {condition: service_completed_successfully}}
""")
    app.compose("up", "--wait", "good")
    assert app.out("ps", "--status", "exited", "--services") == "good"
    assert app.compose("up", "--wait", "bad", check=False).returncode == 1


def test_a_missing_image(app: App) -> None:
    app.write("services:\n  w:\n    image: nosuch:1\n    pull_policy: never\n")
    failed = app.compose("up", "-d", check=False)
    assert failed.returncode == 1
    assert f"{app.folder}/compose.yaml:2: service 'w': no such image: nosuch:1" in failed.stderr.decode()


def test_a_command_that_is_not_there(app: App) -> None:
    app.write("services:\n  w:\n    image: busybox\n    network_mode: none\n    command: /nosuch\n")
    failed = app.compose("up", "-d", check=False)
    assert failed.returncode == 1
    assert f"{app.folder}/compose.yaml:2: service 'w': " in failed.stderr.decode()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("services: {w: {imag: x}}", 15, "compose.yaml:1: services.w.imag: unknown attribute 'imag'; did you mean"),
        ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", 15, "dependency cycle detected"),
        ("services: {w: {image: x, models: [m]}}\nmodels: {m: {model: x}}", 1, "language models are not supported"),
        ("services: {w: {image: x, provider: {type: y}}}", 1, "provider: services of external programs"),
    ],
)
def test_refusals(app: App, text: str, code: int, message: str) -> None:
    app.write(text)
    failed = app.compose("up", "-d", check=False)
    assert (failed.returncode, message in failed.stderr.decode()) == (code, True), failed.stderr


def test_no_file_at_all(app: App) -> None:
    failed = app.compose("up", check=False)
    assert (failed.returncode, failed.stderr) == (14, b"no configuration file provided: not found\n")


def test_ctrl_c_stops_gracefully(app: App) -> None:
    app.write(ONE)
    process = app.start("up")
    assert process.stdout is not None
    said = until(b"w-1  | up\n", process.stdout)
    assert b"Attaching to w-1" in said
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 130
    assert b"Gracefully Stopping... press Ctrl+C again to force" in rest
    assert app.out("ps", "-q") == ""
    assert len(app.ids()) == 1


def test_ctrl_c_twice_kills(app: App) -> None:
    app.write(ONE.replace("echo bye; exit 0", "echo no"))
    process = app.start("up")
    assert process.stdout is not None
    until(b"w-1  | up\n", process.stdout)
    process.send_signal(signal.SIGINT)
    until(b"Stopping\n", process.stdout)
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(30) == 130
    assert app.out("ps", "-q") == ""


def test_the_end_of_one_container_ends_all(app: App) -> None:
    app.write(ONE + '  job: {image: busybox, network_mode: none, command: sh -c "echo working; exit 3"}\n')
    process = app.start("up", "--abort-on-container-exit", "-t", "1")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert b"job-1 exited with code 3" in said
    assert app.out("ps", "-q") == ""
    process = app.start("up", "--exit-code-from", "w", "-t", "1")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said


@pytest.mark.parametrize(
    ("verb", "phase", "running"),
    [
        (("up", "-d"), "Volume", False),
        (("up", "-d"), "Creating", False),
        (("up", "-d"), "Starting", False),
        (("up", "-d"), "Recreate", True),
        (("up", "-d"), "Recreated", True),
        (("down",), "Stopping", True),
        (("down",), "Removing", True),
    ],
)
def test_killed_in_any_phase_the_next_up_converges_and_down_removes_all(
    app: App, verb: tuple[str, ...], phase: str, *, running: bool
) -> None:
    services = "\n".join(
        f"  s{i}: {{image: busybox, network_mode: none, command: sleep 1000, stop_grace_period: 0s, "
        f"environment: {{V: '${{V:-1}}'}}, volumes: ['d:/d']}}"
        for i in range(6)
    )
    app.write(f"services:\n{services}\nvolumes: {{d: null}}\n")
    if running:
        app.compose("up", "-d", V="0")
    process = app.start(*verb)
    assert process.stdout is not None
    until(phase.encode(), process.stdout)
    process.kill()
    process.communicate(timeout=30)
    app.compose("up", "-d", V="2")
    assert list(app.ids()) == [f"{app.name}-s{i}-1" for i in range(6)]
    assert len(app.out("ps", "-q").splitlines()) == 6
    app.compose("down", "-v")
    assert not any(app.left().values())
