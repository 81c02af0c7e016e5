"""`update` and `stats` through the docker command line and ours, by what the kernel's files say."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.engines import PYTHON, Havre
from tests.support.http import UnixConnection

pytestmark = pytest.mark.root

OFFERED = {
    "MemoryLimit": {"memory.limit_in_bytes", "memory.max"},
    "SwapLimit": {"memory.memsw.limit_in_bytes", "memory.swap.max"},
    "OomKillDisable": {"memory.oom_control"},
    "CpuCfsQuota": {"cpu.cfs_quota_us", "cpu.max"},
    "CpuCfsPeriod": {"cpu.cfs_quota_us", "cpu.max"},
    "CPUShares": {"cpu.shares", "cpu.weight"},
    "CPUSet": {"cpuset.cpus"},
    "PidsLimit": {"pids.max"},
}
"""What `docker info` says of limits, and the files that set them."""


@pytest.fixture
def name(havre: Havre) -> str:
    havre.remove_all()
    havre.docker("run", "-d", "--name", "one", "-m", "64m", "busybox", "sleep", "1000", check=True)
    return "one"


def groups(havre: Havre, name: str) -> dict[str, Path]:
    """The cgroups of a container by controller; that of v2, where it is not alone, goes by the empty word."""
    pid = havre.out("inspect", "-f", "{{.State.Pid}}", name)
    found = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, words, path = line.split(":", 2)
        for word in words.split(","):
            found[word] = Path(f"/sys/fs/cgroup/{word}{path}")
    return found


def limit(havre: Havre, name: str, v1: str, v2: str) -> str:
    found = groups(havre, name)
    group = found.get(v1.partition(".")[0])
    return ((group / v1) if group else (found[""] / v2)).read_text().strip()


@pytest.mark.parametrize("client", ["docker", "havre"])
def test_limits_change_while_it_runs(havre: Havre, name: str, client: str) -> None:
    run = getattr(havre, client)
    done = run("update", "-m", "96m", "--memory-swap", "200m", "--pids-limit", "77", "--cpu-quota", "50000", name)
    assert (done.stdout, done.returncode) == (b"one\n", 0), done.stderr
    assert limit(havre, name, "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert limit(havre, name, "pids.max", "pids.max") == "77"
    assert limit(havre, name, "cpu.cfs_quota_us", "cpu.max").startswith("50000")
    run("update", "--pids-limit", "-1", "--restart", "on-failure:3", name, check=True)
    assert limit(havre, name, "pids.max", "pids.max") == "max"
    shown = havre.out("inspect", "-f", "{{.HostConfig.Memory}} {{json .HostConfig.RestartPolicy}}", name)
    assert shown == f'{96 << 20} {{"Name":"on-failure","MaximumRetryCount":3}}'


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-m", "1g"], "Memory limit should be smaller than already set memoryswap limit"),
        (["-m", "1m"], "Minimum memory limit allowed is 6MB"),
        (["--cpus", "99"], "Range of CPUs is from 0.01 to"),
        (["--restart", "bogus"], "invalid restart policy"),
        (["-m", "96m", "--memory-swap", "90m"], "Minimum memoryswap limit should be larger than memory limit"),
    ],
)
def test_what_cannot_be_changes_nothing(havre: Havre, name: str, flags: list[str], message: str) -> None:
    done = havre.docker("update", *flags, name)
    assert message in done.stderr.decode()
    assert done.returncode == 1
    assert limit(havre, name, "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert havre.out("inspect", "-f", "{{.HostConfig.Memory}}", name) == str(64 << 20)


def test_a_stopped_container_starts_with_what_was_changed(havre: Havre, name: str) -> None:
    havre.docker("stop", "-t", "0", name, check=True)
    havre.docker("update", "-m", "32m", name, check=True)
    havre.docker("start", name, check=True)
    assert limit(havre, name, "memory.limit_in_bytes", "memory.max") == str(32 << 20)


def test_info_offers_what_a_container_can_get(havre: Havre, name: str) -> None:
    files = {path.name for group in groups(havre, name).values() if group.is_dir() for path in group.iterdir()}
    info = json.loads(havre.out("info", "-f", "{{json .}}"))
    assert {word: info[word] for word in OFFERED} == {word: bool(OFFERED[word] & files) for word in OFFERED}


def test_a_weight_of_block_devices_is_set_or_discarded_with_a_warning(havre: Havre) -> None:
    havre.remove_all()
    done = havre.docker("run", "-d", "--name", "heavy", "--blkio-weight", "300", "busybox", "sleep", "1000", check=True)
    found = [path.read_text() for group in groups(havre, "heavy").values() for path in group.glob("*.weight")]
    if any("300" in text or "2930" in text for text in found):  # io.weight has a scale of its own
        assert not done.stderr
        assert havre.out("inspect", "-f", "{{.HostConfig.BlkioWeight}}", "heavy") == "300"
    else:
        assert b"Your kernel does not support Block I/O weight" in done.stderr
        assert havre.out("inspect", "-f", "{{.HostConfig.BlkioWeight}}", "heavy") == "0"


@pytest.mark.parametrize("client", ["docker", "havre"])
def test_stats_tell_what_the_kernel_counts(havre: Havre, name: str, client: str) -> None:
    run = getattr(havre, client)
    line = json.loads(run("stats", "--no-stream", "--format", "json", name, check=True).stdout)
    assert line["PIDs"] == "1"
    assert line["MemUsage"].endswith(" / 64MiB")
    assert line["Name"] == "one"
    table = run("stats", "--no-stream", "--no-trunc", check=True).stdout.decode().splitlines()
    assert " ".join(table[0].split()) == "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS"
    assert table[1].startswith(havre.out("inspect", "-f", "{{.Id}}", name))


def test_a_busy_container_shows(havre: Havre) -> None:
    havre.remove_all()
    havre.docker("run", "-d", "--name", "busy", "busybox", "sh", "-c", "while :; do :; done", check=True)
    line = havre.api().get("/containers/busy/stats?stream=0").json
    used = line["cpu_stats"]["cpu_usage"]["total_usage"] - line["precpu_stats"]["cpu_usage"]["total_usage"]
    assert used > 0
    assert line["cpu_stats"]["system_cpu_usage"] > line["precpu_stats"]["system_cpu_usage"]
    assert set(line["networks"]) == {"eth0"}
    havre.docker("rm", "-f", "busy", check=True)


def test_one_look_has_no_look_before(havre: Havre, name: str) -> None:
    line = havre.api().get(f"/containers/{name}/stats?stream=0&one-shot=1").json
    assert line["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert line["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert havre.api().get(f"/containers/{name}/stats?stream=1&one-shot=1").status == 400
    havre.docker("stop", "-t", "0", name, check=True)
    assert havre.api().get(f"/containers/{name}/stats?stream=0").json["memory_stats"] == {}


def test_a_stream_goes_on_until_the_container_is_removed(havre: Havre, name: str) -> None:
    with closing(UnixConnection(havre.socket, 20)) as connection:
        connection.request("GET", f"/v1.41/containers/{name}/stats")
        answer = connection.getresponse()
        first, second = json.loads(answer.readline()), json.loads(answer.readline())
        assert second["precpu_stats"] == first["cpu_stats"]
        assert second["preread"] == first["read"]
        havre.docker("rm", "-f", name, check=True)
        rest = [json.loads(line) for line in answer.read().splitlines()]
        assert all(line["memory_stats"] == {} for line in rest[-1:])


def test_our_stats_redraw_until_nothing_is_left(havre: Havre, name: str) -> None:
    line = [PYTHON, "-m", "havre.cli.main", "stats", name]
    with subprocess.Popen(line, env=havre.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as drawing:
        assert drawing.stdout is not None
        seen = b""
        while b"64MiB" not in seen:
            piece = drawing.stdout.read1(4096)  # type: ignore[attr-defined]
            assert piece, seen
            seen += piece
        assert seen.startswith(b"\x1b[H")
        havre.docker("rm", "-f", name, check=True)
        drawing.stdout.read()
        assert drawing.wait(20) == 0
