"""havre-runtime as an OCI runtime: the life of a container by the command line, next to runc where there is one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tarfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from havre.kernel.cgroups import Cgroups, open_cgroups
from havre.kernel.cgroups.hierarchy import Hierarchy
from havre.kernel.cgroups.mounted import find_trees
from havre.kernel.process import pidfd_open
from havre.kernel.pty import open_pty, window_size
from tests.support.images import busybox_tar
from tests.support.oci import Runtime, read_until, receive_descriptor, spec, wrapper, write_spec

pytestmark = pytest.mark.root

EXAMPLE = Path(__file__).parents[2] / "golden" / "oci" / "example-config.json"
V2_HAS_MEMORY = Path("/sys/fs/cgroup/cgroup.controllers").exists()
HAVE_RUNC = pytest.mark.skipif(shutil.which("runc") is None, reason="runc is the oracle")


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oci") / "rootfs"
    with tarfile.open(fileobj=io.BytesIO(busybox_tar())) as archive:
        archive.extractall(folder, filter="fully_trusted")  # noqa: S202  our own tar, made a line above
    for name in ("proc", "dev", "sys"):
        (folder / name).mkdir()
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of its own; its configuration names the common root folder."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def cgroups() -> Iterator[Cgroups]:
    made = open_cgroups()
    yield made
    made.close()


@pytest.fixture
def group(cgroups: Cgroups) -> Iterator[str]:
    """A cgroup path for one container, gone afterwards with all in it."""
    top = f"/havre-cg-test-{os.urandom(4).hex()}"
    yield f"{top}/c"
    cgroups.kill(top)
    cgroups.remove(top)


@pytest.fixture
def config(group: str, rootfs: Path) -> dict[str, Any]:
    return spec(group, rootfs)


def _runtime(name: str, tmp_path: Path) -> Iterator[Runtime]:
    program = str(wrapper(tmp_path)) if name == "havre-runtime" else name
    runtime = Runtime((program, "--root", str(tmp_path / "state")))
    yield runtime
    for folder in (tmp_path / "state").glob("*"):
        runtime("delete", "--force", folder.name)
    assert list((tmp_path / "state").glob("*")) == []


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    yield from _runtime("havre-runtime", tmp_path)


@pytest.fixture(params=["havre-runtime", pytest.param("runc", marks=HAVE_RUNC)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """The same test on ours and on runc: so the test itself is tried."""
    yield from _runtime(request.param, tmp_path)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "output"
    path.touch()
    return path


@contextlib.contextmanager
def foreground(runtime: Runtime, process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """`run` of container c1, which does not outlive a failed test."""
    with process:
        try:
            yield process
        finally:
            runtime("delete", "--force", "c1")


def ended(pid: int) -> None:
    """Wait until process *pid*, which is not our child, has ended."""
    try:
        handle = pidfd_open(pid)
    except OSError:
        return
    try:
        assert select.select([handle], [], [], 30)[0]
    finally:
        os.close(handle)


def said(error: str) -> str:
    """The message in a line of the log, without the runtime's own name."""
    found = re.findall(r'msg="((?:[^"\\]|\\.)*)"', error)
    return (
        found[-1].replace('\\"', '"').replace("havre-runtime", "RUNTIME").replace("runc", "RUNTIME") if found else error
    )


def test_a_life(either: Runtime, bundle: Path, config: dict[str, Any], output: Path, tmp_path: Path) -> None:
    config["annotations"] = {"com.example.key": "value"}
    config["process"]["args"] = ["sh", "-c", "echo started; exec sleep 1000"]
    write_spec(bundle, config)
    pid_file = tmp_path / "pid"
    either.create("c1", bundle, "--pid-file", str(pid_file), output=output)
    state = either.state("c1")
    pid = int(pid_file.read_text())
    assert (state["id"], state["status"], state["pid"], state["bundle"]) == ("c1", "created", pid, str(bundle))
    assert state["annotations"] == {"com.example.key": "value"}
    assert state["rootfs"] == config["root"]["path"]
    assert output.read_text() == ""
    either.ok("start", "c1")
    assert either.state("c1")["status"] == "running"
    assert json.loads(either.ok("ps", "--format", "json", "c1")) == [pid]
    assert "sleep 1000" in either.ok("ps", "c1")
    assert either("exec", "c1", "hostname")[:2] == (0, "inside\n")
    either.ok("pause", "c1")
    assert either.state("c1")["status"] == "paused"
    either.ok("resume", "c1")
    assert either.state("c1")["status"] == "running"
    either.ok("kill", "c1", "KILL")
    ended(pid)
    state = either.state("c1")
    assert (state["status"], state["pid"]) == ("stopped", 0)
    either.ok("delete", "c1")
    assert either("state", "c1")[0] == 1
    assert output.read_text() == "started\n"


@HAVE_RUNC
def test_every_refusal_is_runc_s(bundle: Path, config: dict[str, Any], output: Path, tmp_path: Path) -> None:
    """Each command in each state: the same exit status and the same words."""
    answers = []
    for name in ("havre-runtime", "runc"):
        runtimes = _runtime(name, tmp_path)
        runtime = next(runtimes)
        heard: list[tuple[object, ...]] = []

        def ask(*words: str, runtime: Runtime = runtime, heard: list[tuple[object, ...]] = heard) -> None:
            code, out, err = runtime(*words)
            heard.append((words, code, out if "exec" in words else "", said(err) if code else ""))

        write_spec(bundle, config)
        for words in (["state"], ["kill"], ["delete"], ["start"], ["ps"], ["pause"], ["resume"], ["delete", "-f"]):
            ask(*words, "c1")
        ask("exec", "c1", "true")
        runtime.create("c1", bundle, output=output)
        ask("create", "--bundle", str(bundle), "c1")
        ask("create", "--bundle", "/nonexistent", "c2")
        ask("create", "--bundle", str(tmp_path), "c2")
        ask("create", "--bundle", str(bundle), "../c2")
        ask("create", "--bundle", str(bundle), "--console-socket", "/nonexistent", "c2")
        ask("resume", "c1")
        ask("start", "c1")
        ask("start", "c1")
        ask("delete", "c1")
        ask("resume", "c1")
        for words in (
            ["nosuch"],
            [],
            ["sh", "-c", "exit 7"],
            ["sh", "-c", "kill -9 $$"],
            ["cat", "/proc/self/cmdline"],
        ):
            ask("exec", "c1", *words)
        ask("exec", "-u", "1000:50", "-e", "A=b", "--cwd", "/tmp", "c1", "sh", "-c", "id -u; id -g; echo $A; pwd")
        for signal_word in ("0", "BOGUS", "999"):
            ask("kill", "c1", signal_word)
        ask("pause", "c1")
        ask("pause", "c1")
        ask("exec", "c1", "true")
        ask("delete", "c1")
        pid = runtime.state("c1")["pid"]
        ask("kill", "c1", "KILL")
        ended(pid)
        for words in (["kill"], ["start"], ["pause"], ["resume"], ["delete"], ["delete"], ["delete", "-f"]):
            ask(*words, "c1")
        answers.append(heard)
        next(runtimes, None)
    for ours, theirs in zip(*answers, strict=True):
        assert ours == theirs


def test_a_program_that_cannot_run_is_told_at_creation(
    either: Runtime, bundle: Path, config: dict[str, Any], cgroups: Cgroups, group: str
) -> None:
    config["process"]["args"] = ["nosuch"]
    write_spec(bundle, config)
    code, _, error = either("run", "--bundle", str(bundle), "c1")
    assert code == 1
    assert said(error) == (
        'RUNTIME run failed: unable to start container process: exec: "nosuch": executable file not found in $PATH'
    )
    assert either("state", "c1")[0] == 1
    assert not any(tree.exists(group[1:]) for tree in cgroups.trees.every)


@pytest.mark.parametrize(("program", "expected"), [("exit 3", 3), ("cat; exit 0", 0)])
def test_run_is_the_program_s_end(
    either: Runtime, bundle: Path, config: dict[str, Any], program: str, expected: int
) -> None:
    config["process"]["args"] = ["sh", "-c", program]
    write_spec(bundle, config)
    code, out, _ = either("run", "--bundle", str(bundle), "c1", stdin="words")
    assert (code, out) == (expected, "words" if "cat" in program else "")
    assert either("state", "c1")[0] == 1


def without_own_pids(config: dict[str, Any]) -> None:
    """Let the container share the host's pid namespace."""
    config["linux"]["namespaces"] = [entry for entry in config["linux"]["namespaces"] if entry["type"] != "pid"]
    config["mounts"] = [entry for entry in config["mounts"] if entry["destination"] != "/proc"]
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []


def test_a_signal_s_end_is_128_and_more(runtime: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["process"]["args"] = ["sh", "-c", "kill -TERM $$"]
    without_own_pids(config)  # a signal of its own does not reach the first process of a pid namespace
    write_spec(bundle, config)
    assert runtime("run", "--bundle", str(bundle), "c1")[0] == 143


def test_run_keeps_on_request_and_detaches(either: Runtime, bundle: Path, config: dict[str, Any], output: Path) -> None:
    config["process"]["args"] = ["true"]
    write_spec(bundle, config)
    assert either("run", "--keep", "--bundle", str(bundle), "c1")[0] == 0
    assert either.state("c1")["status"] == "stopped"
    either.ok("delete", "c1")
    config["process"]["args"] = ["sleep", "1000"]
    write_spec(bundle, config)
    with output.open("wb") as sink:
        words = [*either.command, "run", "--detach", "--bundle", str(bundle), "c1"]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    assert either.state("c1")["status"] == "running"
    either.ok("delete", "--force", "c1")


def test_signals_of_the_foreground_are_passed_on(runtime: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["process"]["args"] = ["sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"]
    write_spec(bundle, config)
    words = [*runtime.command, "run", "--bundle", str(bundle), "c1"]
    with foreground(runtime, subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        # The wrapper is a shell that became the runtime: the signal reaches the runtime itself.
        process.send_signal(signal.SIGUSR1)
        assert process.wait(30) == 9


def test_a_console_goes_through_the_socket(
    either: Runtime, bundle: Path, config: dict[str, Any], tmp_path: Path, output: Path
) -> None:
    config["process"]["terminal"] = True
    config["process"]["consoleSize"] = {"height": 33, "width": 77}
    config["process"]["args"] = ["sh", "-c", "test -t 0 && test -t 1 && stty size && ls -l /dev/console && read x"]
    write_spec(bundle, config)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        either.create("c1", bundle, "--console-socket", str(tmp_path / "console"), output=output)
        master, _ = receive_descriptor(listener)
    try:
        either.ok("start", "c1")
        text = read_until(master, b"console").decode()
    finally:
        os.close(master)
    assert text.startswith("33 77")
    assert re.search(r"136, +0 .*/dev/console", text)
    either.ok("delete", "--force", "c1")


def test_exec_with_a_console(
    either: Runtime, bundle: Path, config: dict[str, Any], tmp_path: Path, output: Path
) -> None:
    write_spec(bundle, config)
    either.create("c1", bundle, output=output)
    either.ok("start", "c1")
    process = {"terminal": True, "args": ["sh", "-c", "test -t 0 && echo a terminal"], "cwd": "/", "env": ["PATH=/bin"]}
    (tmp_path / "process.json").write_text(json.dumps({**process, "user": {"uid": 0, "gid": 0}}))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        with output.open("ab") as sink:
            words = ["exec", "--process", str(tmp_path / "process.json"), "--detach"]
            words += ["--pid-file", str(tmp_path / "pid"), "--console-socket", str(tmp_path / "console"), "c1"]
            subprocess.run([*either.command, *words], check=True, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        master, _ = receive_descriptor(listener)
    text = read_until(master, b"terminal")
    os.close(master)
    assert b"a terminal" in text
    assert (tmp_path / "pid").read_text().isdigit()


def test_the_foreground_has_the_caller_s_terminal(runtime: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["process"]["terminal"] = True
    config["process"]["args"] = ["sh", "-c", "stty size; read line; echo got $line; exit 5"]
    write_spec(bundle, config)
    master, peer = open_pty()
    termios.tcsetwinsize(peer, (40, 90))
    assert window_size(peer) == (40, 90)
    words = [*runtime.command, "run", "--bundle", str(bundle), "c1"]
    try:
        with foreground(runtime, subprocess.Popen(words, stdin=peer, stdout=peer, stderr=peer)) as process:
            assert b"40 90" in read_until(master, b"90")
            os.write(master, b"a line\n")
            assert b"got a line" in read_until(master, b"got a line")
            assert process.wait(30) == 5
        assert termios.tcgetattr(peer)[3] & termios.ECHO
    finally:
        os.close(master)
        os.close(peer)


def test_hooks_run_in_order_with_the_state(
    runtime: Runtime, bundle: Path, config: dict[str, Any], rootfs: Path, tmp_path: Path, output: Path
) -> None:
    """config.md, "POSIX-platform Hooks": where each runs, and what it is told."""
    shared = tmp_path / "shared"
    shared.mkdir()
    log = shared / "log"
    script = tmp_path / "hook"
    script.write_text(
        f'#!/bin/sh\necho "$1 $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net) $VALUE $(cat)" >> {log}\n'
    )
    script.chmod(0o755)
    inside = {"path": "/bin/sh", "args": ["sh", "-c", 'echo "startContainer . . v $(cat)" >> /tmp/log']}
    points = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    config["hooks"] = {
        point: [{"path": str(script), "args": ["hook", point], "env": ["VALUE=v", "PATH=/bin:/usr/bin"]}]
        for point in points
    }
    config["hooks"]["startContainer"] = [{**inside, "env": ["PATH=/bin"]}]
    config["mounts"].append({"destination": "/tmp", "type": "bind", "source": str(shared), "options": ["bind"]})
    write_spec(bundle, config)
    runtime.create("c1", bundle, output=output)
    words = [line.split(" ", 4) for line in log.read_text().splitlines()]
    assert [line[0] for line in words] == ["prestart", "createRuntime", "createContainer"]
    runtime.ok("start", "c1")
    runtime.ok("delete", "--force", "c1")
    words = [line.split(" ", 4) for line in log.read_text().splitlines()]
    assert [line[0] for line in words] == [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ]
    assert {line[3] for line in words} == {"v"}
    mounts, nets = {line[0]: line[1] for line in words}, {line[0]: line[2] for line in words}
    here = os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/net")
    for point in ("prestart", "createRuntime", "poststart", "poststop"):
        assert (mounts[point], nets[point]) == here
    assert mounts["createContainer"] != here[0]
    states = {line[0]: json.loads(line[4]) for line in words}
    assert {state["id"] for state in states.values()} == {"c1"}
    assert states["createRuntime"]["status"] == "creating"
    assert states["poststop"]["status"] == "stopped"
    assert states["prestart"]["bundle"] == str(bundle)


@pytest.mark.parametrize("point", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_failing_hook_ends_the_container(
    either: Runtime, bundle: Path, config: dict[str, Any], point: str, cgroups: Cgroups, group: str
) -> None:
    config["hooks"] = {point: [{"path": "/bin/false"}]}
    write_spec(bundle, config)
    code, _, error = either("run", "--bundle", str(bundle), "c1")
    assert code == 1
    assert "hook" in said(error)
    assert either("state", "c1")[0] == 1
    assert not any(tree.exists(group[1:]) for tree in cgroups.trees.every)


def test_a_hook_has_a_time_limit(runtime: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
    write_spec(bundle, config)
    code, _, error = runtime("run", "--bundle", str(bundle), "c1")
    assert code == 1
    assert "did not end within 1 s" in said(error)


def test_a_failing_poststop_hook_is_a_warning(runtime: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["hooks"] = {"poststop": [{"path": "/bin/false"}]}
    config["process"]["args"] = ["true"]
    write_spec(bundle, config)
    code, _, error = runtime("run", "--bundle", str(bundle), "c1")
    assert code == 0
    assert "level=warning" in error
    assert runtime("state", "c1")[0] == 1


def test_kill_all_reaches_everyone(runtime: Runtime, bundle: Path, config: dict[str, Any], output: Path) -> None:
    config["process"]["args"] = ["sh", "-c", "sleep 1001 & sleep 1002 & wait"]
    without_own_pids(config)
    write_spec(bundle, config)
    runtime.create("c1", bundle, output=output)
    runtime.ok("start", "c1")
    pids: list[int] = []
    while len(pids) < 3:
        pids = json.loads(runtime.ok("ps", "-f", "json", "c1"))
    runtime.ok("kill", "--all", "c1", "KILL")
    for pid in pids:
        ended(pid)
    runtime.ok("delete", "c1")


def test_cgroup_files_cannot_be_written(either: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    """R-15: neither release_agent nor notify_on_release, and the container sees its own group as the top."""
    config["process"]["args"] = [
        "sh",
        "-c",
        (
            "for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name cgroup.procs "
            "-o -name tasks -o -name devices.allow); do echo x 2>/dev/null > $f && echo written $f; done; "
            "mkdir $(dirname $(find /sys/fs/cgroup -name cgroup.procs | head -n 1))/x 2>/dev/null && echo made; "
            "cat /proc/self/cgroup"
        ),
    ]
    write_spec(bundle, config)
    code, out, error = either("run", "--bundle", str(bundle), "c1")
    assert code == 0, error
    assert "written" not in out
    assert "made" not in out
    assert {line.split(":", 2)[2] for line in out.splitlines()} == {"/"}


def test_devices_are_those_of_the_rules(either: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    """R-14: a node can be made and not opened; the defaults open; one that was asked for is there."""
    config["linux"]["devices"] = [
        {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o600, "uid": 0, "gid": 0}
    ]
    config["linux"]["resources"]["devices"].append({"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"})
    config["process"]["args"] = [
        "sh",
        "-c",
        (
            "cd /tmp; mknod a b 8 0; mknod b c 1 1; mknod c c 10 229; "
            "for n in a b c; do head -c 1 $n 2>&1 | tr -d '\\n'; echo; rm $n; done; "
            "for n in null zero full random urandom ptmx; do (: < /dev/$n) && echo $n; done; "
            "test -c /dev/kmsg && : > /dev/kmsg && echo kmsg"
        ),
    ]
    write_spec(bundle, config)
    code, out, error = either("run", "--bundle", str(bundle), "c1", timeout=20)
    assert code == 0, (out, error)
    lines = out.splitlines()
    assert all("Operation not permitted" in line for line in lines[:3]), lines
    assert lines[3:] == ["null", "zero", "full", "random", "urandom", "ptmx", "kmsg"]


def test_limits_are_set(either: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["linux"]["resources"].update(
        {
            "memory": {"limit": 32 << 20, "swap": 64 << 20},
            "pids": {"limit": 11},
            "cpu": {"shares": 300, "quota": 20_000, "period": 50_000, "cpus": "0"},
        }
    )
    files = (
        "memory/memory.limit_in_bytes",
        "memory/memory.memsw.limit_in_bytes",
        "pids/pids.max",
        "cpu/cpu.shares",
        "cpu/cpu.cfs_quota_us",
        "cpu/cpu.cfs_period_us",
        "cpuset/cpuset.cpus",
    )
    config["process"]["args"] = ["cat", *(f"/sys/fs/cgroup/{file}" for file in files)]
    write_spec(bundle, config)
    if not Path("/sys/fs/cgroup/memory").is_dir():
        pytest.skip("files of cgroup v1")
    code, out, error = either("run", "--bundle", str(bundle), "c1")
    assert (code, out.split()) == (0, [str(32 << 20), str(64 << 20), "11", "300", "20000", "50000", "0"]), error


def test_descriptors_are_kept_when_asked_for(either: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["process"]["args"] = ["sh", "-c", "readlink /proc/$$/fd/3; readlink /proc/$$/fd/4; ls /proc/$$/fd | wc -l"]
    write_spec(bundle, config)
    with open("/dev/zero", "rb") as zero, open("/dev/full", "rb") as full:
        found = []
        for count in ("2", "1", "0"):
            words = [*either.command, "run", "--preserve-fds", count, "--bundle", str(bundle), "c1"]
            done = subprocess.run(
                words,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                close_fds=False,
                preexec_fn=lambda: [os.dup2(fd, to) for to, fd in ((3, zero.fileno()), (4, full.fileno()))],
            )
            found.append([word for word in done.stdout.split() if not word.isdigit()])
    assert found == [["/dev/zero", "/dev/full"], ["/dev/zero"], []]


def test_a_descriptor_that_is_not_there_cannot_be_kept(runtime: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    write_spec(bundle, config)
    code, _, error = runtime("run", "--preserve-fds", "40", "--bundle", str(bundle), "c1")
    assert code == 1
    assert "it is not open" in said(error)


def test_a_root_on_the_ramdisk_is_left_behind(either: Runtime, bundle: Path, config: dict[str, Any]) -> None:
    config["process"]["args"] = ["sh", "-c", "ls / | sort | head -n 2"]
    write_spec(bundle, config)
    code, out, error = either("run", "--no-pivot", "--bundle", str(bundle), "c1")
    assert code == 0, error
    assert out.split()[:2] == ["bin", "dev"]


def test_the_waiting_init_runs_from_a_file_that_nobody_can_write(
    runtime: Runtime, bundle: Path, config: dict[str, Any], output: Path
) -> None:
    """Rule 8, on the command line: the interpreter inside is not the host's file (CVE-2019-5736)."""
    write_spec(bundle, config)
    runtime.create("c1", bundle, output=output)
    pid = runtime.state("c1")["pid"]
    inside, outside = os.stat(f"/proc/{pid}/exe"), os.stat("/proc/self/exe")
    assert (inside.st_dev, inside.st_ino) != (outside.st_dev, outside.st_ino)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"PYTHONPATH" not in environment
    names = {
        os.path.basename(os.readlink(f"/proc/{pid}/fd/{fd}")).split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")
    }
    assert names <= {"null", "output", "socket"}


def test_a_creation_that_was_killed_leaves_what_delete_takes_away(
    runtime: Runtime, bundle: Path, config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "c1").mkdir()
    (tmp_path / "state" / "c1" / "start.sock").touch()
    assert runtime("state", "c1")[0] == 1
    runtime.ok("delete", "--force", "c1")
    assert not (tmp_path / "state" / "c1").exists()


def test_json_log_lines_for_conmon(runtime: Runtime, bundle: Path, config: dict[str, Any], tmp_path: Path) -> None:
    config["process"]["args"] = ["nosuch"]
    write_spec(bundle, config)
    log = tmp_path / "oci-log"
    code, _, error = runtime("--log-format", "json", "--log", str(log), "run", "--bundle", str(bundle), "c1")
    line = json.loads(log.read_text().splitlines()[-1])
    assert code == 1
    assert line["level"] == "error"
    assert "executable file not found in $PATH" in line["msg"]
    assert error.strip() == line["msg"]


# What of the specification's example this kind of host cannot have; the rest of it is run as it stands.
HOST_LACKS = {
    "ociVersion": "1.0.2",
    "hooks": {},
}


def test_the_specification_s_example_runs(
    runtime: Runtime, bundle: Path, group: str, rootfs: Path, output: Path
) -> None:
    config = {**json.loads(EXAMPLE.read_text()), **HOST_LACKS, "root": {"path": str(rootfs), "readonly": True}}
    process, linux = config["process"], config["linux"]
    process.update({"terminal": False, "apparmorProfile": "", "selinuxLabel": "", "args": ["sleep", "1000"]})
    linux["mountLabel"] = ""
    linux["cgroupsPath"] = group
    del linux["timeOffsets"]
    for kind in ("uidMappings", "gidMappings"):
        del linux[kind]
    linux["namespaces"] = [entry for entry in linux["namespaces"] if entry["type"] not in ("user", "time")]
    resources = linux["resources"]
    for name in ("network", "hugepageLimits", "blockIO"):
        del resources[name]
    resources["cpu"] = {
        "shares": 1024,
        "quota": 1_000_000,
        "period": 500_000,
        "burst": 1_000_000,
        "cpus": "0",
        "mems": "0",
    }
    linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    write_spec(bundle, config)
    runtime.create("c1", bundle, output=output)
    runtime.ok("start", "c1")
    state = runtime.state("c1")
    assert state["annotations"] == config["annotations"]
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{state['pid']}/status").read_text().splitlines() if ":" in line
    )
    assert status["Uid"].split() == ["1"] * 4
    assert status["Groups"].split() == ["5", "6"]
    assert int(status["CapBnd"], 16) == 1 << 29 | 1 << 5 | 1 << 10
    assert int(status["CapAmb"], 16) == 1 << 10
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert runtime("exec", "c1", "hostname")[1] == "slartibartfast\n"
    assert "1024" in Path(f"/proc/{state['pid']}/limits").read_text()


@HAVE_RUNC
def test_runc_s_own_template_runs(runtime: Runtime, bundle: Path, group: str, rootfs: Path) -> None:
    subprocess.run(["runc", "spec", "--bundle", str(bundle)], check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = ["sh", "-c", "id -u; hostname"]
    config["root"]["path"] = str(rootfs)
    config["linux"]["cgroupsPath"] = group
    write_spec(bundle, config)
    assert runtime("run", "--bundle", str(bundle), "c1")[:2] == (0, "0\nrunc\n")


@pytest.fixture
def on_v2(tmp_path: Path) -> Iterator[Runtime]:
    """Ours on a host that has cgroup v2 alone, as far as a mount namespace can show one."""
    hide = "umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && echo ready && exec cat"
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"ready\n"
    tree = only_v2()
    given = set(tree.read(".", "cgroup.subtree_control").split())
    command = ("nsenter", "--mount", "--target", str(holder.pid), "--", str(wrapper(tmp_path)))
    runtime = Runtime((*command, "--root", str(tmp_path / "state")))
    try:
        yield runtime
    finally:
        runtime("delete", "--force", "c1")
        holder.communicate()
        for word in set(tree.read(".", "cgroup.subtree_control").split()) - given:
            tree.write(".", "cgroup.subtree_control", f"-{word}")
        tree.close()


def only_v2() -> Hierarchy:
    """The v2 tree of this host."""
    trees = find_trees(Path("/proc/self/mountinfo").read_text())
    return Hierarchy(next(tree.mount_point for tree in trees if not tree.options))


def test_a_life_on_cgroup_v2(on_v2: Runtime, bundle: Path, config: dict[str, Any], output: Path, group: str) -> None:
    """R-14 and R-15 there: devices are guarded by a program of ours, and the container's tree is read-only."""
    config["linux"]["devices"] = [
        {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o600, "uid": 0, "gid": 0}
    ]
    write_spec(bundle, config)
    on_v2.create("c1", bundle, output=output)
    on_v2.ok("start", "c1")
    pid = on_v2.state("c1")["pid"]
    assert f"0::{group}\n" in Path(f"/proc/{pid}/cgroup").read_text()
    assert json.loads(on_v2.ok("ps", "-f", "json", "c1")) == [pid]
    script = (
        "grep ^0: /proc/self/cgroup; (: > /dev/kmsg) 2>&1; (: < /dev/zero) && echo zero; "
        "mknod /tmp/x b 8 0; (: < /tmp/x) 2>&1; rm /tmp/x; "
        "cd /sys/fs/cgroup && for f in cgroup.procs cgroup.kill cgroup.freeze cgroup.subtree_control; do "
        "test -f $f && (echo 0 > $f) 2>/dev/null && echo written $f; done; mkdir x 2>/dev/null && echo made; true"
    )
    code, out, _ = on_v2("exec", "c1", "sh", "-c", script)
    assert (code, [line.rpartition(": ")[2] for line in out.splitlines()]) == (
        0,
        ["0::/", "Operation not permitted", "zero", "Operation not permitted"],
    )
    on_v2.ok("pause", "c1")
    assert on_v2.state("c1")["status"] == "paused"
    on_v2.ok("kill", "c1", "KILL")
    ended(pid)
    on_v2.ok("delete", "c1")
    tree = only_v2()
    assert not tree.exists(group[1:])
    tree.close()


@pytest.mark.skipif(V2_HAS_MEMORY, reason="this host's cgroup v2 has the controller")
def test_a_limit_that_this_v2_host_lacks_is_refused_by_name(
    on_v2: Runtime, bundle: Path, config: dict[str, Any]
) -> None:
    config["linux"]["resources"]["memory"] = {"limit": 1 << 26}
    write_spec(bundle, config)
    code, _, error = on_v2("run", "--bundle", str(bundle), "c1")
    assert code == 1
    assert "a memory limit was asked for, but this host's cgroup v2 has no file memory.max" in said(error)
