"""Podman of Debian with havre-runtime in the place of crun: the same verbs a person would type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from havre.kernel.cgroups import open_cgroups
from tests.support.images import busybox_tar
from tests.support.oci import wrapper

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("podman") is None, reason="podman is the client"),
]
# A host without CAP_SYS_RESOURCE cannot raise limits as Podman's defaults would have it.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True)
class Podman:
    """Podman with everything of its own: storage, network and mount namespace, cgroups."""

    command: tuple[str, ...]
    group: str

    def __call__(self, *words: str, stdin: bytes = b"", timeout: float = 90) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *words], check=False, capture_output=True, input=stdin, timeout=timeout, env=self.env
        )

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8"}

    def ok(self, *words: str, stdin: bytes = b"") -> str:
        done = self(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return self("run", "--network", "none", "--cgroup-parent", self.group, *LIMITS, *words, stdin=stdin)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    folder = tmp_path_factory.mktemp("podman")
    group = f"/havre-cg-test-{os.urandom(4).hex()}"
    holder = subprocess.Popen(
        ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", "echo ready; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == b"ready\n"
    program = str(wrapper(folder))
    made = Podman(
        (
            *("nsenter", "--mount", "--net", "--target", str(holder.pid), "--", "podman"),
            *("--root", str(folder / "root"), "--runroot", str(folder / "run"), "--tmpdir", str(folder / "tmp")),
            *("--storage-driver", "vfs", "--events-backend", "file"),
            *("--cgroup-manager", "cgroupfs", "--runtime", program),
        ),
        group,
    )
    try:
        made.ok("import", "-", "busybox", stdin=busybox_tar())
        yield made
    finally:
        made("rm", "--all", "--force", "--time", "0")
        made("rmi", "--all", "--force")
        holder.communicate()
        cgroups = open_cgroups()
        cgroups.kill(group)
        cgroups.remove(group)
        cgroups.close()
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def container(podman: Podman) -> Iterator[str]:
    """A container that sleeps."""
    name = f"c{os.urandom(4).hex()}"
    assert podman.run("--detach", "--name", name, "busybox", "sleep", "1000").returncode == 0
    yield name
    podman("rm", "--force", "--time", "0", name)


@pytest.mark.parametrize(
    ("words", "code", "output"),
    [
        (["echo", "hello"], 0, b"hello\n"),
        (["sh", "-c", "exit 3"], 3, b""),
        (["sh", "-c", "kill -9 $$; echo alive"], 0, b"alive\n"),
        (["nosuch"], 127, b""),
        (["/etc"], 126, b""),
    ],
)
def test_run_ends_as_the_program_does(podman: Podman, words: list[str], code: int, output: bytes) -> None:
    done = podman.run("--rm", "busybox", *words)
    assert (done.returncode, done.stdout) == (code, output), done.stderr


def test_the_runtime_is_ours(podman: Podman, container: str) -> None:
    (found,) = json.loads(podman.ok("inspect", container))
    assert found["OCIRuntime"].endswith("havre-runtime")
    assert found["State"]["Running"]


@pytest.mark.parametrize(
    ("words", "code", "output"),
    [
        (["echo", "inside"], 0, b"inside\n"),
        (["sh", "-c", "exit 9"], 9, b""),
        (["nosuch"], 127, b""),
        (["/etc/passwd"], 126, b""),
    ],
)
def test_exec(podman: Podman, container: str, words: list[str], code: int, output: bytes) -> None:
    done = podman("exec", container, *words)
    assert (done.returncode, done.stdout) == (code, output), done.stderr


def test_exec_takes_a_user_a_folder_and_variables(podman: Podman, container: str) -> None:
    found = podman.ok(
        "exec", "-u", "alice", "-w", "/tmp", "-e", "A=b", container, "sh", "-c", "id -un; id -G; pwd; echo $A"
    )
    name, groups, folder, value = found.splitlines()
    assert (name, folder, value) == ("alice", "/tmp", "b")
    assert set(groups.split()) == {"1000", "50", "29"}


def test_input_reaches_the_program(podman: Podman, container: str) -> None:
    assert podman.ok("exec", "-i", container, "cat", stdin=b"words") == "words"
    done = podman.run("--rm", "-i", "busybox", "wc", "-c", stdin=b"x" * 100_000)
    assert done.stdout.split() == [b"100000"]


def test_a_terminal(podman: Podman, container: str) -> None:
    assert podman.ok("exec", "-t", container, "sh", "-c", "test -t 1 && echo yes").strip() == "yes"
    done = podman.run("--rm", "-t", "busybox", "sh", "-c", "test -t 0 && test -c /dev/console && echo yes")
    assert done.stdout.strip() == b"yes", done


def test_pause_top_and_kill(podman: Podman, container: str) -> None:
    podman.ok("pause", container)
    assert podman.ok("ps", "--all", "--filter", f"name={container}", "--format", "{{.Status}}").startswith("Paused")
    podman.ok("unpause", container)
    assert "sleep 1000" in podman.ok("top", container)
    podman.ok("kill", "--signal", "KILL", container)
    assert podman.ok("wait", container).strip() == "137"


def test_stop_and_start_again(podman: Podman) -> None:
    program = "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done"
    assert podman.run("--detach", "--name", "stopper", "busybox", "sh", "-c", program).returncode == 0
    try:
        while "up" not in podman.ok("logs", "stopper"):
            pass
        podman.ok("stop", "--time", "30", "stopper")
        assert podman.ok("inspect", "--format", "{{.State.ExitCode}}", "stopper").strip() == "4"
        podman.ok("start", "stopper")
        while podman.ok("logs", "stopper").count("up") < 2:
            pass
        podman.ok("stop", "--time", "30", "stopper")
        assert podman.ok("logs", "stopper").split() == ["up", "bye", "up", "bye"]
        podman.ok("rm", "stopper")
    finally:
        podman("rm", "--force", "--time", "0", "stopper")


def test_limits_and_the_cage(podman: Podman) -> None:
    most = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max"
    program = f"grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status; {most}; id -G"
    done = podman.run(
        *("--rm", "--memory", "32m", "--pids-limit", "50", "--cap-drop", "all", "--user", "alice"),
        *("--security-opt", "no-new-privileges", "busybox", "sh", "-c", program),
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["CapEff:", "0000000000000000"], done
    assert lines[1].split() == ["NoNewPrivs:", "1"]
    assert lines[2].split() == ["Seccomp:", "2"]
    assert "50" in lines


def test_two_containers_share_namespaces(podman: Podman, container: str) -> None:
    done = podman.run(
        "--rm", "--pid", f"container:{container}", "--ipc", f"container:{container}", "busybox", "ps", "-o", "args"
    )
    assert "sleep 1000" in done.stdout.decode(), done


def test_a_build_runs_its_steps_here(podman: Podman, tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM localhost/busybox\nRUN echo built > /made && id -u\nCMD cat /made\n")
    # Buildah takes the parent itself for the step: it must be a group of its own.
    own = ("--network", "none", "--isolation", "oci", "--cgroup-parent", f"{podman.group}/build", *LIMITS)
    podman.ok("build", *own, "--tag", "made", str(tmp_path))
    assert podman.run("--rm", "made").stdout == b"built\n"


def test_nothing_is_left(podman: Podman) -> None:
    """After `--rm` no state folder, no process and no cgroup of the container stays."""
    assert podman.run("--rm", "busybox", "true").returncode == 0
    assert podman.ok("ps", "--all", "--quiet").strip() == ""
    cgroups = open_cgroups()
    try:
        left = [folder for tree in cgroups.trees.every for folder in tree.folders(podman.group[1:])]
    finally:
        cgroups.close()
    assert [folder for folder in left if "/libpod-" in folder and "conmon" not in folder] == []
