"""A-07: who can reach the API."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from havre.base.errors import Conflict, HavreError, InvalidInput
from havre.daemon import config as config_module
from havre.daemon.config import load_config
from havre.daemon.listeners import Listener, open_listeners
from tests.support.handles import handles


@pytest.fixture(autouse=True)
def no_file_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "DEFAULT_FILE", tmp_path / "none.json")


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(undo: ExitStack, *words: str) -> tuple[list[Listener], list[str]]:
    listeners, warnings = open_listeners(load_config(words))
    for listener in listeners:
        undo.callback(listener.close)
    return listeners, warnings


def test_a_unix_socket_is_for_its_group_alone(tmp_path: Path, undo: ExitStack) -> None:
    path = tmp_path / "deep" / "a.sock"
    group = grp.getgrgid(os.getgid()).gr_name
    before = os.umask(0)
    os.umask(before)
    opened(undo, "-H", f"unix://{path}", "-G", group)
    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == os.getgid()
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o022 == 0
    assert os.umask(before) == before
    assert not os.get_inheritable(undo.enter_context(socket.socket()).fileno())


def test_without_the_usual_group_only_root_gets_in(
    tmp_path: Path, undo: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str) -> object:
        raise KeyError

    monkeypatch.setattr(grp, "getgrnam", missing)
    _, warnings = opened(undo, "-H", f"unix://{tmp_path}/a.sock")
    assert (tmp_path / "a.sock").stat().st_gid == os.getgid()
    assert "group docker not found" in warnings[0]
    with pytest.raises(InvalidInput, match="group nosuch not found"):
        opened(undo, "-H", f"unix://{tmp_path}/b.sock", "-G", "nosuch")


def test_the_file_goes_with_the_listener(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    (listener,), _ = open_listeners(load_config(["-H", str(path)]))
    listener.close()
    assert not path.exists()


def test_another_daemon_s_file_stays(tmp_path: Path, undo: ExitStack) -> None:
    path = tmp_path / "a.sock"
    (listener,), _ = open_listeners(load_config(["-H", str(path)]))
    path.rename(tmp_path / "moved")
    opened(undo, "-H", str(path))
    listener.close()
    assert path.exists()


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path, undo: ExitStack) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    opened(undo, "-H", str(path))
    with pytest.raises(Conflict, match="another daemon answers there"):
        open_listeners(load_config(["-H", str(path)]))
    assert path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.write_text("precious")
    with pytest.raises(Conflict, match="no socket is in the way"):
        open_listeners(load_config(["-H", str(path)]))
    assert path.read_text() == "precious"


def test_a_path_longer_than_the_kernel_takes(tmp_path: Path, undo: ExitStack) -> None:
    folder = tmp_path / ("x" * 60) / ("y" * 60)
    opened(undo, "-H", f"unix://{folder}/a.sock")
    assert stat.S_ISSOCK((folder / "a.sock").stat().st_mode)


def test_plain_tcp_on_loopback_is_warned_of(undo: ExitStack) -> None:
    for host in ("tcp://127.0.0.1:0", "tcp://localhost:0", "tcp://:0"):
        listeners, warnings = opened(undo, "-H", host)
        assert all(listener.socket.getsockname()[0] in ("127.0.0.1", "::1") for listener in listeners)
        assert "Access to the remote API is equivalent to root access on the host" in warnings[0]


def test_plain_tcp_beyond_loopback_must_be_said_twice(undo: ExitStack) -> None:
    with pytest.raises(InvalidInput, match="say --tls=false as well"):
        open_listeners(load_config(["-H", "tcp://0.0.0.0:0"]))
    _, warnings = opened(undo, "-H", "tcp://0.0.0.0:0", "--tls=false")
    assert "without encryption" in warnings[0]


def test_tls_that_verifies_needs_no_warning(undo: ExitStack) -> None:
    (listener, *_), warnings = opened(undo, "-H", "tcp://127.0.0.1:0", "--tlsverify")
    assert listener.encrypted
    assert not warnings
    _, warnings = opened(undo, "-H", "tcp://127.0.0.1:0", "--tls")
    assert "without verifying clients" in warnings[0]


@pytest.mark.parametrize(
    "host",
    [
        "npipe://x",
        "http://x",
        "tcp://127.0.0.1:x",
        "tcp://127.0.0.1:99999",
        "tcp://no such host:1",
        "unix://a",
        "fd://",
    ],
)
def test_wrong_addresses(host: str) -> None:
    with pytest.raises(HavreError):
        open_listeners(load_config(["-H", host]))


def test_nothing_stays_open_when_one_of_several_fails(tmp_path: Path) -> None:
    before = handles()
    with pytest.raises(HavreError):
        open_listeners(load_config(["-H", f"unix://{tmp_path}/a.sock", "-H", "npipe://x"]))
    assert handles() <= before
    assert not (tmp_path / "a.sock").exists()
