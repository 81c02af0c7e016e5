from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.client import on_demand
from havre.client.connection import Address
from havre.client.errors import ClientError

Program = Callable[[str], None]
LISTEN = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[2][7:]); s.listen(); s.accept()"


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The processes that were started; all have ended after the test."""
    spawn, found = os.posix_spawn, []

    def told(*words: object, **more: object) -> int:
        found.append(spawn(*words, **more))  # type: ignore[arg-type]  # passed on as they are
        return found[-1]

    monkeypatch.setattr(os, "posix_spawn", told)
    yield found
    for pid in found:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pids: list[int]) -> Program:
    """Sets what runs in place of `havre.daemon.main`."""
    package = tmp_path / "packages" / "havre" / "daemon"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    monkeypatch.setattr(on_demand, "DATA_ROOT", str(tmp_path / "root"))
    monkeypatch.setattr(on_demand, "LOG", str(tmp_path / "root" / "havred.log"))
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        (package / "main.py").write_text(text)

    return write


@pytest.fixture
def address(tmp_path: Path) -> Address:
    return Address(f"unix://{tmp_path}/d.sock")


def test_a_daemon_is_started_and_waited_for(tmp_path: Path, program: Program, address: Address) -> None:
    program(f"print('begins', flush=True)\nimport os; assert os.getsid(0) == os.getpid()\n{LISTEN}")
    on_demand.start_daemon(address)
    assert (tmp_path / "root" / "havred.log").read_text() == "begins\n"
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o710


def test_the_last_words_of_a_daemon_that_fails(tmp_path: Path, program: Program, address: Address) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "havred.log").write_text("words of an older life\n")
    program("import sys; print('out'); sys.exit('x' * 5000 + ' no such option: -H ' + sys.argv[2])")
    with pytest.raises(ClientError) as caught:
        on_demand.start_daemon(address)
    message = str(caught.value)
    assert message.startswith(f"havred did not start; its last words in {tmp_path}/root/havred.log:\n")
    assert message.endswith(f"no such option: -H {address.text}")
    assert "older life" not in message
    assert len(message) < 2300


def test_a_daemon_that_another_command_starts_in_the_same_moment_serves(
    program: Program, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("import sys; sys.exit('/var/lib/havre is in use by another havred (process 7)')")
    wait = os.waitpid
    with socket.socket(socket.AF_UNIX) as rival:

        def told(pid: int, options: int) -> tuple[int, int]:
            found = wait(pid, options)
            if found[0]:
                rival.bind(address.host)
                rival.listen()
            return found

        monkeypatch.setattr(os, "waitpid", told)
        on_demand.start_daemon(address)
        monkeypatch.undo()


def test_a_daemon_that_never_answers(program: Program, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    program("pass")
    monkeypatch.setattr(on_demand, "_PATIENCE_S", -1.0)
    with pytest.raises(ClientError, match="havred did not start"):
        on_demand.start_daemon(address)


def test_the_interpreter_is_our_own(program: Program, address: Address) -> None:
    program(f"import sys; assert sys.executable == {sys.executable!r}\n{LISTEN}")
    on_demand.start_daemon(address)
