"""Containers that runc and crun make, under a shim of ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre, running
from tests.support.hosts import Host
from tests.support.terminal import on_terminal

pytestmark = pytest.mark.root

RUNTIMES = {
    "oci-runc": {"path": "runc"},
    "crun": {"path": "crun", "runtimeArgs": ["--cgroup-manager=disabled"]},
}
_DEADLINE_S = 30


@pytest.fixture(scope="module")
def havre(module_host: Host, tmp_path_factory: pytest.TempPathFactory, rootfs_tar: bytes) -> Iterator[Havre]:
    folder = tmp_path_factory.mktemp("hv")
    (folder / "daemon.json").write_text(json.dumps({"runtimes": RUNTIMES}))
    engine = Havre(module_host, folder, ["--config-file", str(folder / "daemon.json")])
    with running(engine):
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield engine


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest, havre: Havre) -> Iterator[str]:
    yield request.param
    havre.remove_all()
    deadline = time.monotonic() + _DEADLINE_S
    while any(len(entry.name) == 64 for entry in havre.exec_root.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run(havre: Havre, runtime: str, *words: str) -> str:
    return havre.out("run", "-d", "--name", "one", "--runtime", runtime, *words)


def until_said(havre: Havre, text: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while text not in havre.out("logs", "one"):
        assert time.monotonic() < deadline, havre.out("logs", "one")
        time.sleep(0.05)


def test_run_with_its_streams_and_code(havre: Havre, runtime: str) -> None:
    script = "cat; echo err >&2; id -u; exit 7"
    words = ["run", "--rm", "-i", "-u", "alice", "--runtime", runtime, "busybox", "sh", "-c", script]
    done = havre.docker(*words, stdin=b"given\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"given\n1000\n", b"err\n")


def test_options_have_their_effect(havre: Havre, runtime: str) -> None:
    options = [
        "--cap-drop",
        "ALL",
        "--read-only",
        "--tmpfs",
        "/t",
        "--memory",
        "64m",
        "--pids-limit",
        "99",
        "-h",
        "box",
    ]
    made = run(havre, runtime, *options, "--security-opt", "no-new-privileges", "busybox", "sleep", "300")
    status = havre.out("exec", "one", "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (fields["CapEff"], fields["NoNewPrivs"], fields["Seccomp"]) == ("0" * 16, "1", "2")
    assert havre.docker("exec", "one", "touch", "/file").returncode == 1
    havre.docker("exec", "one", "touch", "/t/file", check=True)
    assert havre.out("exec", "one", "hostname") == "box"
    group = Path(f"/sys/fs/cgroup/memory/havre/{made}/memory.limit_in_bytes")
    assert int(group.read_text()) == 64 << 20
    assert int(Path(f"/sys/fs/cgroup/pids/havre/{made}/pids.max").read_text()) == 99


def test_exec_stop_top_pause_and_logs(havre: Havre, runtime: str) -> None:
    run(havre, runtime, "busybox", "sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while true; do sleep 0.05; done")
    until_said(havre, "up")
    done = havre.docker(
        "exec", "-i", "-e", "A=b", "-w", "/tmp", "one", "sh", "-c", "cat; pwd; echo $A; exit 5", stdin=b"x\n"
    )
    assert (done.returncode, done.stdout) == (5, b"x\n/tmp\nb\n")
    assert b"executable file" in havre.docker("exec", "one", "nosuch").stdout
    assert "trap" in havre.out("top", "one")
    havre.docker("pause", "one", check=True)
    havre.docker("unpause", "one", check=True)
    havre.docker("stop", "-t", "20", "one", check=True)
    assert havre.out("inspect", "-f", "{{.State.ExitCode}} {{.HostConfig.Runtime}}", "one") == f"4 {runtime}"
    assert havre.out("logs", "one") == "up\nbye"
    havre.docker("start", "one", check=True)
    assert havre.out("inspect", "-f", "{{.State.Running}}", "one") == "true"


def test_terminals(havre: Havre, runtime: str) -> None:
    line = [DOCKER, "run", "-it", "--name", "one", "--runtime", runtime, "busybox", "sh"]
    with on_terminal(line, havre.environment()) as terminal:
        terminal.expect("# ")
        terminal.type("stty size; tty\n")
        terminal.expect("/dev/pts/0")
        again = [DOCKER, "exec", "-it", "one", "sh"]
        with on_terminal(again, havre.environment()) as second:
            second.expect("# ")
            second.type("exit 3\n")
            assert second.wait() == 3
        terminal.type("exit 6\n")
        assert terminal.wait() == 6


def test_it_outlives_the_engine(havre: Havre, runtime: str) -> None:
    run(havre, runtime, "-i", "busybox", "sh", "-c", "echo up; read x; echo got $x; exit 9")
    until_said(havre, "up")
    before = havre.out("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "one")
    havre.kill()
    havre.start()
    assert havre.out("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "one") == before
    assert havre.out("exec", "one", "echo", "hi") == "hi"
    with subprocess.Popen([DOCKER, "attach", "one"], env=havre.environment(), stdin=subprocess.PIPE) as client:
        client.communicate(b"this\n", 30)
    havre.docker("wait", "one", check=True)
    assert havre.out("inspect", "-f", "{{.State.ExitCode}}", "one") == "9"
    assert havre.out("logs", "one") == "up\ngot this"


def test_a_program_that_is_not_there(havre: Havre, runtime: str) -> None:
    done = havre.docker("run", "--name", "one", "--runtime", runtime, "busybox", "nosuch")
    assert done.returncode in {125, 127}  # the client reads the words, which are the runtime's
    assert havre.out("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "one") == "127 created"


def test_a_killed_shim_takes_the_container_with_it(havre: Havre, runtime: str) -> None:
    run(havre, runtime, "busybox", "sleep", "300")
    pid = int(havre.out("inspect", "-f", "{{.State.Pid}}", "one"))
    worker = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    keeper = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    for shim in (keeper, worker):
        os.kill(shim, signal.SIGKILL)
    havre.docker("wait", "one", check=True)
    assert "shim" in havre.out("inspect", "-f", "{{.State.Error}}", "one")


def test_names_and_the_default(havre: Havre) -> None:
    told = json.loads(havre.out("info", "--format", "{{json .}}"))
    assert told["DefaultRuntime"] == "havre"
    assert told["Runtimes"]["crun"] == {"path": "crun", "runtimeArgs": ["--cgroup-manager=disabled"]}
    assert b"Unknown runtime specified nosuch" in havre.docker("create", "--runtime", "nosuch", "busybox").stderr


def test_a_runtime_that_is_gone_is_not_replaced_by_ours(havre: Havre) -> None:
    havre.docker("create", "--name", "one", "--runtime", "crun", "busybox", "true", check=True)
    extra, havre.extra = havre.extra, ["--default-runtime", "other", "--add-runtime", "other=/nosuch"]
    havre.stop()
    havre.start()
    assert b"Unknown runtime specified crun" in havre.docker("start", "one").stderr
    assert b"cannot run the runtime /nosuch" in havre.docker("run", "--name", "two", "busybox", "true").stderr
    havre.remove_all()
    havre.stop()
    havre.extra = extra
    havre.start()
