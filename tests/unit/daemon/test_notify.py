from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.daemon.notify import inherited_sockets, tell


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "n"))
        tell("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "n")})
        assert heard.recv(100) == b"READY=1"
    tell("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "n")})
    tell("READY=1", {})


def test_without_activation_there_are_no_sockets() -> None:
    for environment in (
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"},
    ):
        with pytest.raises(InvalidInput, match="no sockets found via socket activation"):
            inherited_sockets("", environment)


_CHILD = """
import os, sys
from havre.daemon.notify import inherited_sockets
os.environ["LISTEN_PID"] = str(os.getpid())
for name in sys.argv[1:]:
    found = inherited_sockets(name)
    print(name, [one.fileno() for one in found], [os.get_inheritable(one.fileno()) for one in found])
    [one.detach() for one in found]
"""


def test_sockets_are_found_by_number_and_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        line = f'exec 3<&{first.fileno()} 4<&{second.fileno()}; exec "$@"'
        found = subprocess.run(
            ["bash", "-c", line, "bash", sys.executable, "-c", _CHILD, "", "*", "4", "api"],
            env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "api:other", "PYTHONPATH": ":".join(sys.path)},
            pass_fds=(first.fileno(), second.fileno()),
            capture_output=True,
            text=True,
            check=True,
        )
    assert found.stdout.splitlines() == [
        " [3, 4] [False, False]",
        "* [3, 4] [False, False]",
        "4 [4] [False]",
        "api [3] [False]",
    ]
