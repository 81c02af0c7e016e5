"""Log drivers, with real containers, real clients and a real socket to listen on."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    for container in havre.out("ps", "-aq").split():
        havre.docker("rm", "-fv", container, check=True)
    deadline = time.monotonic() + 20
    while list((havre.data_root / "containers").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)  # they go behind the removal
    assert list((havre.data_root / "containers").iterdir()) == []


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_what_was_said_is_read_back(havre: Havre, driver: str) -> None:
    script = "echo one; echo two >&2; printf three"
    made = havre.out("run", "-d", "--log-driver", driver, "busybox", "sh", "-c", script)
    havre.docker("wait", made, check=True)
    read = havre.docker("logs", made, check=True)
    assert (read.stdout, read.stderr) == (b"one\nthree", b"two\n")
    assert havre.docker("logs", "--tail", "1", made, check=True).stdout == b"three"
    assert havre.out("inspect", "-f", "{{.HostConfig.LogConfig.Type}}", made) == driver


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_rotation_bounds_the_disk_and_keeps_the_last_lines(havre: Havre, driver: str) -> None:
    options = ("--log-driver", driver, "--log-opt", "max-size=100k", "--log-opt", "max-file=3")
    made = havre.out("run", "-d", *options, "busybox", "sh", "-c", "seq 1 100000")
    havre.docker("wait", made, check=True)
    lines = havre.out("logs", made).splitlines()
    assert lines[-1] == "100000"
    first = int(lines[0])
    assert first > 1
    assert lines == [str(number) for number in range(first, 100001)]
    folder = havre.data_root / "containers" / made
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 600_000


def test_none_keeps_nothing(havre: Havre) -> None:
    made = havre.out("run", "-d", "--log-driver", "none", "busybox", "echo", "lost")
    havre.docker("wait", made, check=True)
    refused = havre.docker("logs", made)
    assert refused.returncode
    assert b"configured logging driver does not support reading" in refused.stderr


def test_syslog_hears_every_line_and_logs_reads_the_copy(havre: Havre, tmp_path: Path) -> None:
    address = tmp_path / "syslog.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(str(address))
        options = (
            *("--log-driver", "syslog", "--log-opt", f"syslog-address=unixgram://{address}"),
            *("--log-opt", "tag={{.Name}}/x", "--log-opt", "syslog-facility=local3"),
        )
        made = havre.out("run", "-d", "--name", "said", *options, "busybox", "sh", "-c", "echo first; echo second")
        havre.docker("wait", made, check=True)
        heard = []
        for _ in range(2):
            assert select.select([peer], [], [], 20)[0]
            heard.append(peer.recv(4096))
    assert all(re.match(rb"<15[08]>", line) for line in heard), heard  # local3 is 19: 19 * 8 + 6 or + 3
    assert all(b"said/x" in line for line in heard), heard
    assert [line.rstrip().rpartition(b" ")[2] for line in heard] == [b"first", b"second"]
    assert havre.out("logs", made) == "first\nsecond"


def test_a_peer_that_never_reads_does_not_stop_a_container_that_need_not_wait(havre: Havre, tmp_path: Path) -> None:
    address = tmp_path / "deaf.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.bind(str(address))
        peer.listen(1)
        options = ("--log-driver", "syslog", "--log-opt", f"syslog-address=unix://{address}", "--log-opt")
        made = havre.out("run", "-d", *options, "mode=non-blocking", "busybox", "sh", "-c", "seq 1 300000")
        assert havre.docker("wait", made, timeout_s=60).stdout == b"0\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--log-driver", "nope"], 'error looking up logging plugin nope: plugin "nope" not found'),
        (["--log-opt", "nope=1"], "unknown log opt 'nope' for json-file log driver"),
        (["--log-driver", "local", "--log-opt", "tag=x"], "unknown log opt 'tag' for log driver local"),
        (["--log-opt", "mode=maybe"], "logging mode"),
    ],
)
def test_refusals(havre: Havre, options: list[str], words: str) -> None:
    refused = havre.docker("create", *options, "busybox", "true")
    assert refused.returncode
    assert words in refused.stderr.decode()
