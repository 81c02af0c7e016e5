"""R-01: whichever door a process comes through, it stands in the same cage."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from tests.support.engines import Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root

SHOW = "grep -E '^(Cap|Seccomp:|NoNewPrivs|Groups|Uid|Gid)' /proc/self/status; readlink /proc/self/ns/user"
DEFAULT = {
    "CapInh": "0000000000000000",
    "CapPrm": "00000000a80425fb",
    "CapEff": "00000000a80425fb",
    "CapBnd": "00000000a80425fb",
    "CapAmb": "0000000000000000",
    "Seccomp": "2",
    "NoNewPrivs": "0",
    "Groups": "0",
}
OTHER = {**DEFAULT, "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "Groups": "50 29 1000"}
CHOICES = {
    "default": ([], DEFAULT),
    "another user": (["-u", "alice"], OTHER),
    "other capabilities": (
        ["--cap-add", "SYS_PTRACE", "--cap-drop", "MKNOD", "--security-opt", "no-new-privileges"],
        {**DEFAULT, **dict.fromkeys(("CapPrm", "CapEff", "CapBnd"), "00000000a00c25fb"), "NoNewPrivs": "1"},
    ),
    "without filter": (["--security-opt", "seccomp=unconfined"], {**DEFAULT, "Seccomp": "0"}),
}


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path / "hv")
    made.start()
    made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    yield made
    made.remove_all()
    made.stop()


def fields(status: str) -> dict[str, str]:
    lines = (line.partition(":") for line in status.splitlines() if line[:1].isupper())
    return {key: " ".join(sorted(value.split()) if key == "Groups" else value.split()) for key, _, value in lines}


def of_probe(engine: Havre, name: str) -> str:
    """What the newest probe said."""
    deadline = time.monotonic() + 30
    while not (log := json.loads(engine.out("inspect", "-f", "{{json .State.Health}}", name))["Log"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return str(log[-1]["Output"])


@pytest.mark.parametrize("choice", CHOICES)
def test_the_same_cage_behind_every_door(engine: Havre, choice: str) -> None:
    """Run, exec, health probe, restart, after a kill of the engine, after an update and a start behind it."""
    options, wanted = CHOICES[choice]
    health = ["--health-cmd", SHOW, "--health-interval", "200ms"]
    engine.out("run", "-d", "--name", "caged", *options, *health, "busybox", "sh", "-c", f"{SHOW}; sleep 1000")
    seen = {
        "run": said(engine),
        "exec": engine.out("exec", "caged", "sh", "-c", SHOW),
        "probe": of_probe(engine, "caged"),
    }
    engine.out("restart", "-t", "0", "caged")
    seen["restart"] = said(engine, times=2)
    engine.kill()
    engine.start()
    seen["exec after a kill"] = engine.out("exec", "caged", "sh", "-c", SHOW)
    engine.out("update", "--memory", "64m", "--memory-swap", "64m", "--pids-limit", "50", "caged")
    seen["exec after an update"] = engine.out("exec", "caged", "sh", "-c", SHOW)
    engine.out("restart", "-t", "0", "caged")
    seen["start after all"] = said(engine, times=3)
    seen["last exec"] = engine.out("exec", "caged", "sh", "-c", SHOW)
    first = fields(seen["run"])
    assert {key: first[key] for key in wanted} == {**wanted, "Groups": " ".join(sorted(wanted["Groups"].split()))}
    assert {door: fields(text) for door, text in seen.items()} == dict.fromkeys(seen, first)


def said(engine: Havre, times: int = 1) -> str:
    """The newest of so many sayings in the log."""
    deadline = time.monotonic() + 30
    while len(parts := engine.out("logs", "caged").split("user:[")) <= times:
        assert time.monotonic() < deadline, parts
        time.sleep(0.02)
    return parts[times - 1]


def test_a_step_of_a_build_stands_in_the_default_cage(engine: Havre, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM busybox\nRUN ({SHOW}) > /shown\nUSER alice\nRUN ({SHOW}) > /tmp/shown\n"
    )
    engine.build("-t", "shown", str(tmp_path), check=True)
    for file, wanted in (("/shown", DEFAULT), ("/tmp/shown", OTHER)):
        found = fields(engine.out("run", "--rm", "shown", "cat", file))
        assert {key: found[key] for key in wanted} == {**wanted, "Groups": " ".join(sorted(wanted["Groups"].split()))}


# -- system calls with zero arguments

SKIPPED = {
    15: "rt_sigreturn ends the process",
    23: "select waits for ever",
    34: "pause waits for ever",
    56: "clone",
    57: "fork",
    58: "vfork",
    60: "exit",
    70: "msgrcv waits for ever",
    162: "sync waits for every disk of the host",
    231: "exit_group",
    270: "pselect6 waits for ever",
    271: "ppoll waits for ever",
}
PROBER = """
import ctypes, errno, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
for number in eval(sys.argv[1]):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        ctypes.set_errno(0)
        failed = libc.syscall(number, 0, 0, 0, 0, 0, 0) < 0
        os.write(into, str(ctypes.get_errno() if failed else 0).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(into)
    said = os.read(out, 9)
    os.close(out)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if said == b"1": print(number)
"""
NUMBERS = [number for number in (*range(1, 335), *range(424, 470)) if number not in SKIPPED]


def refused_calls(engine: Havre, *options: str) -> set[int]:
    """The numbers of the calls that EPERM answers, each made once with zeros in a process of its own."""
    python = Path(sys.executable).resolve()
    folders = {"/usr", "/lib", "/lib64", str(python.parents[1])}
    mounts = [word for folder in sorted(folders) if Path(folder).exists() for word in ("-v", f"{folder}:{folder}:ro")]
    line = [*options, *mounts, "busybox", str(python), "-I", "-S", "-c", PROBER, str(NUMBERS)]
    done = engine.docker("run", "--rm", "--network", "none", *line, check=True)
    return {int(word) for word in done.stdout.split()}


REFUSED = """
syslog uselib ustat sysfs vhangup pivot_root _sysctl acct settimeofday mount umount2 swapon swapoff reboot
sethostname setdomainname iopl ioperm create_module init_module delete_module get_kernel_syms query_module
quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security lookup_dcookie clock_settime vserver mbind
set_mempolicy get_mempolicy kexec_load add_key request_key keyctl migrate_pages unshare move_pages
perf_event_open fanotify_init open_by_handle_at setns kcmp finit_module kexec_file_load bpf userfaultfd
io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_getfd
process_madvise mount_setattr quotactl_fd set_mempolicy_home_node lsm_get_self_attr lsm_set_self_attr
lsm_list_modules
"""
BY_THE_KERNEL = {446}
"""landlock_restrict_self passes the filter; without no-new-privileges the kernel itself answers EPERM."""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_how_many_system_calls_are_refused(engine: Havre) -> None:
    """67 as the catalogue counts; three calls on security modules (459 to 461) that libseccomp 2.5 has no name for."""
    numbers = {number_of(name) for name in REFUSED.split()}
    unconfined = refused_calls(engine, "--security-opt", "seccomp=unconfined")
    confined = refused_calls(engine)
    print(f"{len(confined)} refused, {len(unconfined)} of them without a filter too")
    assert confined == numbers | unconfined
    assert unconfined - numbers <= BY_THE_KERNEL
    assert len((numbers | BY_THE_KERNEL) - {459, 460, 461}) == 67


def number_of(name: str) -> int:
    table = json.loads(resources.files("havre.kernel").joinpath("syscall_numbers.json").read_text())
    return int(table[name][0])
