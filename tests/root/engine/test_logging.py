"""Log drivers, with real containers, real clients and a real socket to listen on."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root
_DEADLINE_S = 60


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


def test_lines_wait_for_a_peer_that_is_gone_and_the_container_with_them(havre: Havre, tmp_path: Path) -> None:
    address = tmp_path / "syslog.sock"
    script = "echo first; while [ ! -e /go ]; do sleep 0.02; done; seq 1 40000; echo last"
    with datagrams(address) as peer:
        options = ("--log-driver", "syslog", "--log-opt", f"syslog-address=unixgram://{address}")
        made = havre.out("run", "-d", *options, "busybox", "sh", "-c", script)
        assert peer.recv(4096).endswith(b" first\n")
    address.unlink()
    havre.docker("exec", made, "touch", "/go", check=True)
    until(lambda: f"{made[:12]}: log driver syslog is not reached" in havre.log.read_text())
    until(lambda: blocked_in_write(havre, made))
    assert havre.out("inspect", "-f", "{{.State.Status}}", made) == "running"
    with datagrams(address) as peer:
        heard: list[bytes] = []
        while not heard or not heard[-1].endswith(b" last\n"):
            heard.append(peer.recv(4096))
        assert [line.split()[-1] for line in heard] == [*map(str.encode, map(str, range(1, 40001))), b"last"]
        assert havre.docker("wait", made).stdout == b"0\n"
    told = [line for line in havre.log.read_text().splitlines() if made[:12] in line]
    assert any("log driver syslog is reached again" in line for line in told)
    assert not any("not logged" in line for line in told)


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_disk_that_stands_still_does_not_stop_a_container_that_need_not_wait(
    havre: Havre, tmp_path: Path, driver: str
) -> None:
    script = "echo first; while [ ! -e /go ]; do sleep 0.02; done; seq 1 200000"
    options = ("--log-driver", driver, "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=4m")
    made = havre.out("create", *options, "busybox", "sh", "-c", script)
    with disk_for_the_log(havre, made, tmp_path / "disk.img", driver) as place:
        havre.docker("start", made, check=True)
        until(lambda: havre.docker("logs", made).stdout == b"first\n")
        subprocess.run(["fsfreeze", "-f", str(place)], check=True)
        try:
            havre.docker("exec", made, "touch", "/go", check=True)
            assert havre.docker("wait", made, timeout_s=60).stdout == b"0\n"
        finally:
            subprocess.run(["fsfreeze", "-u", str(place)], check=True)
        until(lambda: havre.docker("logs", "--tail", "1", made).stdout == b"200000\n")
        assert havre.out("logs", made).splitlines() == ["first", *map(str, range(1, 200001))]


@contextmanager
def datagrams(address: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(str(address))
        peer.settimeout(_DEADLINE_S)
        yield peer


@contextmanager
def disk_for_the_log(havre: Havre, container: str, image: Path, driver: str) -> Iterator[Path]:
    """A file system of its own for the log of *container*."""
    folder = havre.data_root / "containers" / container
    name = f"{container}-json.log" if driver == "json-file" else "container.log"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    place = image.with_suffix("")
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    (place / name).touch(0o640)
    log = folder / name if driver == "json-file" else folder / "local-logs" / name
    log.parent.mkdir(exist_ok=True)
    log.touch()
    subprocess.run(["mount", "--bind", str(place / name), str(log)], check=True)
    try:
        yield place
    finally:
        for mounted in (log, place):
            until(partial(unmounted, mounted))


def unmounted(place: Path) -> bool:
    """A log is in use until its last word is written."""
    return subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0


def blocked_in_write(havre: Havre, container: str) -> bool:
    """Whether some program of *container* waits for a pipe to be read."""
    pids = havre.out("top", container, "-o", "pid").split()[1:]
    waits = [Path(f"/proc/{pid}/wchan") for pid in pids]
    return any("pipe_write" in wait.read_text() for wait in waits if wait.exists())


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
