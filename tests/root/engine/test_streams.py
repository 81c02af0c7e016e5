"""Attached streams with the real docker CLI and with `havre`: half-close, order, terminals, detach keys, floods."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.engines import DOCKER, PYTHON, Havre
from tests.support.terminal import on_terminal

pytestmark = pytest.mark.root

CLIENTS = {"docker": [DOCKER], "havre": [PYTHON, "-m", "havre.cli.main"]}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> list[str]:
    line: list[str] = CLIENTS[request.param]
    return line


def run(engine: Havre, client: list[str], *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*client, *args], env=engine.environment(), input=stdin, capture_output=True, check=False, timeout=60
    )


def test_stdin_ends_with_the_clients_half_close(havre: Havre, client: list[str]) -> None:
    done = run(havre, client, "run", "-i", "--rm", "busybox", "cat", stdin=b"x")
    assert (done.stdout, done.returncode) == (b"x", 0)


def test_megabytes_go_through_unchanged(havre: Havre, client: list[str]) -> None:
    data = bytes(range(256)) * 40_000
    done = run(havre, client, "run", "-i", "--rm", "busybox", "cat", stdin=data)
    assert done.stdout == data


def test_stdout_and_stderr_stay_apart(havre: Havre, client: list[str]) -> None:
    done = run(havre, client, "run", "--rm", "busybox", "sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done")
    assert (done.stdout, done.stderr) == (b"o1\no2\no3\n", b"e1\ne2\ne3\n")


def test_both_streams_flooded_at_once_keep_their_frames(havre: Havre, client: list[str]) -> None:
    script = "(yes o | head -n 200000) & (yes e | head -n 200000 >&2); wait"
    done = run(havre, client, "run", "--rm", "busybox", "sh", "-c", script)
    assert done.stdout == b"o\n" * 200_000
    assert done.stderr == b"e\n" * 200_000


def test_one_stream_alone(havre: Havre, client: list[str]) -> None:
    done = run(havre, client, "run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo o; echo e >&2")
    assert (done.stdout, done.stderr) == (b"", b"e\n")


def test_exec_has_streams_and_a_code(havre: Havre, client: list[str]) -> None:
    name = havre.out("run", "-d", "busybox", "sleep", "1000")
    try:
        done = run(havre, client, "exec", "-i", name, "sh", "-c", "cat; echo e >&2; exit 5", stdin=b"in")
        assert (done.stdout, done.stderr, done.returncode) == (b"in", b"e\n", 5)
        assert run(havre, client, "exec", name, "nosuch").returncode == 127
        assert run(havre, client, "exec", name, "/etc").returncode == 126
    finally:
        havre.docker("rm", "-f", name, check=True)


def test_logs_tell_what_was_said(havre: Havre, client: list[str]) -> None:
    name = havre.out("create", "busybox", "sh", "-c", "for i in 1 2 3 4 5; do echo $i; done; echo e >&2")
    try:
        assert run(havre, client, "start", "-a", name).stdout == b"1\n2\n3\n4\n5\n"
        assert run(havre, client, "logs", name).stdout == b"1\n2\n3\n4\n5\n"
        assert run(havre, client, "logs", name).stderr == b"e\n"
        assert run(havre, client, "logs", "--tail", "2", name).stdout == b"5\n"
        stamped = run(havre, client, "logs", "-t", name).stdout.splitlines()
        assert all(line[10:11] == b"T" and line.split()[0].endswith(b"Z") for line in stamped)
        assert run(havre, client, "logs", "--since", "2100-01-01T00:00:00Z", name).stdout == b""
        assert run(havre, client, "logs", "-f", name).stdout == b"1\n2\n3\n4\n5\n"
    finally:
        havre.docker("rm", "-f", name, check=True)


def test_a_terminal_has_a_size_and_echoes(havre: Havre, client: list[str]) -> None:
    line = [*client, "run", "-it", "--rm", "busybox", "sh"]
    with on_terminal(line, havre.environment(), rows=33, columns=101) as terminal:
        terminal.type("tty; stty size; echo $TERM\n")
        terminal.expect("/dev/pts/0\r\n")
        terminal.expect("33 101\r\n")
        terminal.expect("xterm\r\n")
        terminal.type("until [ \"$(stty size)\" = '20 70' ]; do sleep 0.05; done; echo resi''zed\n")
        terminal.resize_until(20, 70, shown="resized\r\n")
        terminal.type("exit 3\n")
        assert terminal.wait() == 3


def test_control_c_reaches_the_foreground_process(havre: Havre, client: list[str]) -> None:
    with on_terminal([*client, "run", "-it", "--rm", "busybox", "sh"], havre.environment()) as terminal:
        # the one who says ready is the one to be interrupted: ash loses a signal between its fork and the exec
        terminal.type("sh -c \"echo re''ady; sleep 1000\"\n")
        terminal.expect("ready\r\n")
        terminal.type("\x03")
        terminal.type("echo co''de $?\n")
        terminal.expect("code 130")
        terminal.type("exit\n")
        terminal.wait()


def test_detach_keys_leave_the_container_running(havre: Havre, client: list[str]) -> None:
    with on_terminal([*client, "run", "-it", "--name", "left", "busybox", "sh"], havre.environment()) as terminal:
        terminal.type("echo re''ady\n")
        terminal.expect("ready\r\n")
        terminal.type("\x10\x11")
        assert terminal.wait() == 0
    try:
        assert havre.out("inspect", "-f", "{{.State.Running}}", "left") == "true"
        with on_terminal([*client, "attach", "left"], havre.environment()) as terminal:
            terminal.type("echo ag''ain\n")
            terminal.expect("again\r\n")
            terminal.type("exit 9\n")
            assert terminal.wait() == 9
    finally:
        havre.docker("rm", "-f", "left", check=True)


def test_exec_on_a_terminal(havre: Havre, client: list[str]) -> None:
    name = havre.out("run", "-d", "busybox", "sleep", "1000")
    try:
        with on_terminal([*client, "exec", "-it", name, "sh"], havre.environment(), rows=31, columns=99) as terminal:
            terminal.type("until [ \"$(stty size)\" = '31 99' ]; do sleep 0.05; done; stty size; tty\n")
            terminal.expect("31 99\r\n")
            terminal.expect("/dev/pts/")
            terminal.type("exit 6\n")
            assert terminal.wait() == 6
    finally:
        havre.docker("rm", "-f", name, check=True)


def test_signals_of_the_client_go_to_the_container(havre: Havre, client: list[str]) -> None:
    script = "trap 'echo caught; exit 7' TERM; echo ready; while true; do sleep 0.1; done"
    line = [*client, "run", "--rm", "busybox", "sh", "-c", script]
    with subprocess.Popen(line, env=havre.environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.readline() == b"caught\n"
        assert process.wait(30) == 7
