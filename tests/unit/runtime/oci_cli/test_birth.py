"""What create, run and exec share."""

from __future__ import annotations

import array
import os
import socket
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.oci.runtime_spec import ConsoleSize, Process, Root, Spec
from havre.runtime.init.finish import Terminal
from havre.runtime.oci_cli import birth
from havre.runtime.oci_cli.arguments import Given

PLAIN, WITH_TERMINAL = Process(args=["sh"]), Process(args=["sh"], terminal=True)


def test_streams_are_ours_without_a_terminal() -> None:
    assert birth.stdio_for(PLAIN, "", detached=True) == (0, 1, 2)


def test_a_detached_terminal_goes_to_whoever_listens() -> None:
    sized = Process(args=["sh"], terminal=True, console_size=ConsoleSize(height=3, width=4))
    assert birth.stdio_for(WITH_TERMINAL, "/socket", detached=True) == Terminal()
    assert birth.stdio_for(sized, "/socket", detached=True) == Terminal(3, 4)


@pytest.mark.parametrize(
    ("process", "console", "detached", "message"),
    [
        (PLAIN, "/socket", True, "cannot use console socket"),
        (WITH_TERMINAL, "", True, "cannot allocate tty"),
        (WITH_TERMINAL, "/socket", False, "cannot use console socket"),
    ],
)
def test_what_does_not_go_together(process: Process, console: str, *, detached: bool, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        birth.stdio_for(process, console, detached=detached)


@pytest.mark.parametrize("count", ["-1", "x", "1001", "1_0"])
def test_a_number_of_descriptors_is_a_number(count: str) -> None:
    with pytest.raises(InvalidInput, match="preserve-fds"):
        birth.kept_descriptors(Given({"preserve-fds": [count]}, ()))


def test_a_descriptor_that_is_not_open_is_not_kept() -> None:
    with pytest.raises(InvalidInput, match="it is not open"):
        birth.kept_descriptors(Given({"preserve-fds": ["1000"]}, ()))


def test_sockets_of_the_service_manager_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Spec(oci_version="1.0.2", process=Process(args=["sh"], env=["A=1"]), root=Root(path="/"))
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    assert birth.with_listeners(spec) == spec
    monkeypatch.setenv("LISTEN_FDS", "2")
    found = birth.with_listeners(spec).process
    assert found is not None
    assert found.env == ["A=1", "LISTEN_FDS=2", "LISTEN_PID=1"]


def test_the_pid_file_holds_the_number_alone(tmp_path: Path) -> None:
    birth.write_pid_file(str(tmp_path / "pid"), 42)
    assert (tmp_path / "pid").read_bytes() == b"42"
    birth.write_pid_file("", 42)


def test_the_master_goes_through_the_socket(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        with birth.connect_console(str(tmp_path / "console")) as connection:
            birth.send_console(connection, writing)
        accepted, _ = listener.accept()
        with accepted:
            data, ancillary, _, _ = accepted.recvmsg(64, socket.CMSG_SPACE(4))
    (received,) = array.array("i", ancillary[0][2])
    os.write(received, b"x")
    assert (data, os.read(reading, 1)) == (b"/dev/ptmx", b"x")
    for fd in (reading, writing, received):
        os.close(fd)
