"""Volumes with a size: `--opt size=`, full, grown, copied, and nothing left of them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre

CAP_SYS_RESOURCE = 24
FILL = "dd if=/dev/zero of=/v/big bs=1M count=200 2>/dev/null; echo $?; stat -c %s /v/big"


@pytest.fixture(autouse=True)
def clean(havre: Havre) -> Iterator[None]:
    yield
    havre.remove_all()
    havre.docker("volume", "prune", "-af", check=True)
    assert not mounts_of(havre)
    assert not loops_of(havre)


def mounts_of(havre: Havre) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(havre.data_root) in line]


def loops_of(havre: Havre) -> list[str]:
    backing = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [text for text in backing if str(havre.data_root) in text]


def used_by(havre: Havre, script: str) -> list[str]:
    return havre.out("run", "--rm", "-v", "vol:/v", "busybox", "sh", "-c", script).splitlines()


def wait_gone(pid: int) -> None:
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def create(havre: Havre, size: str = "32m") -> None:
    havre.docker("volume", "create", "--opt", f"size={size}", "vol", check=True)


def test_a_full_volume_stops_its_writer_and_nobody_else(havre: Havre) -> None:
    create(havre)
    assert not mounts_of(havre)
    code, written = used_by(havre, FILL)
    assert code == "1"
    assert 8 << 20 < int(written) < 32 << 20
    assert used_by(havre, "rm /v/big; echo kept > /v/small; ls -A /v") == ["small"]
    assert used_by(havre, "cat /v/small") == ["kept"]


def test_a_size_grows(havre: Havre) -> None:
    create(havre)
    used_by(havre, "echo kept > /v/f")
    assert havre.havre("volume", "resize", "vol", "64m", check=True).stdout == b"vol\n"
    *_, written = used_by(havre, FILL)
    assert 40 << 20 < int(written) < 64 << 20
    assert used_by(havre, "cat /v/f") == ["kept"]
    assert json.loads(havre.out("volume", "inspect", "vol"))[0]["Options"] == {"size": "64m"}
    assert b"cannot shrink to 16m" in havre.havre("volume", "resize", "vol", "16m").stderr


def test_a_size_grows_in_use_where_the_kernel_lets_it(havre: Havre) -> None:
    create(havre)
    havre.docker("run", "-d", "--name", "user", "-v", "vol:/v", "busybox", "sleep", "1000", check=True)
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
    done = havre.havre("volume", "resize", "vol", "64m")
    *_, written = havre.out("exec", "user", "sh", "-c", FILL).splitlines()
    if int(status["CapEff"], 16) >> CAP_SYS_RESOURCE & 1:
        assert done.returncode == 0
        assert int(written) > 40 << 20
    else:
        assert b"only while no container uses it" in done.stderr
        assert int(written) < 32 << 20


def test_a_size_outlives_the_daemon(havre: Havre) -> None:
    create(havre)
    used_by(havre, "echo kept > /v/f")
    havre.docker("run", "-d", "--name", "user", "-v", "vol:/v", "busybox", "sleep", "1000", check=True)
    havre.kill()
    havre.start()
    assert havre.out("exec", "user", "cat", "/v/f") == "kept"
    havre.docker("rm", "-f", "user", check=True)
    assert used_by(havre, "cat /v/f") == ["kept"]


def test_an_empty_volume_with_a_size_begins_with_the_images_files(havre: Havre) -> None:
    create(havre)
    assert havre.out("run", "--rm", "-v", "vol:/bin", "busybox", "ls", "-A", "/bin") == havre.out(
        "run", "--rm", "busybox", "ls", "-A", "/bin"
    )


def test_it_is_cloned_with_its_size_and_exported(havre: Havre) -> None:
    create(havre)
    used_by(havre, "echo kept > /v/f")
    havre.havre("volume", "clone", "vol", "twin", check=True)
    assert havre.out("run", "--rm", "-v", "twin:/v", "busybox", "cat", "/v/f") == "kept"
    archive = havre.havre("volume", "export", "twin", check=True).stdout
    havre.havre("volume", "import", "third", check=True, stdin=archive)
    assert havre.out("run", "--rm", "-v", "third:/v", "busybox", "cat", "/v/f") == "kept"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["size=1m"], "less than 8 MB"),
        (["size=huge"], "invalid size: 'huge'"),
        (["size=-5m"], "invalid size"),
        (["size=64m", "type=tmpfs", "device=tmpfs"], "not for another file system"),
    ],
)
def test_what_no_size_is(havre: Havre, options: list[str], message: str) -> None:
    flags = [word for option in options for word in ("--opt", option)]
    assert message in havre.docker("volume", "create", *flags, "vol").stderr.decode()
    assert havre.out("volume", "ls", "-q") == ""


def test_only_a_volume_with_a_size_is_resized(havre: Havre) -> None:
    havre.docker("volume", "create", "plain", check=True)
    assert b"made without a size" in havre.havre("volume", "resize", "plain", "64m").stderr
    assert b"no such volume" in havre.havre("volume", "resize", "none", "64m").stderr


def test_it_stays_as_it_is_for_what_lives_through_an_end_of_the_daemon(havre: Havre) -> None:
    """The first of its two users ends while no engine is there."""
    create(havre)
    for name in ("first", "second"):
        havre.docker("run", "-d", "--name", name, "-v", "vol:/v", "busybox", "sleep", "1000", check=True)
    (pid,) = havre.out("inspect", "-f", "{{.State.Pid}}", "first").split()
    havre.kill()
    os.kill(int(pid), signal.SIGKILL)
    wait_gone(int(pid))
    havre.start()
    assert havre.out("inspect", "-f", "{{.State.ExitCode}}", "first") == "137"
    havre.docker("exec", "second", "sh", "-c", "echo kept > /v/late", check=True)
    assert used_by(havre, "cat /v/late") == ["kept"]
    assert len(loops_of(havre)) == 1
