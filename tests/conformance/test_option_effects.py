"""What each option of `run` does inside the container: read there, on Havre and on the reference, not from a record."""

# ruff: noqa: E501  rows of a table

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre

pytestmark = [pytest.mark.root, pytest.mark.reference]

V1 = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
STATUS = "grep -E '^{}:' /proc/self/status | tr -d '\\t '"
MOUNT = "awk '$5 == \"{}\"' /proc/self/mountinfo"


def group(controller: str, file: str) -> str:
    return f"cat /sys/fs/cgroup/{controller}/{file}"


LIMITS = [
    ("memory", ["--memory", "64m"], group("memory", "memory.limit_in_bytes"), "67108864"),
    ("swap", ["-m", "64m", "--memory-swap", "96m"], group("memory", "memory.memsw.limit_in_bytes"), "100663296"),
    ("swap twice", ["-m", "64m"], group("memory", "memory.memsw.limit_in_bytes"), "134217728"),
    (
        "reservation",
        ["--memory-reservation", "32m"],
        group("memory", "memory.soft_limit_in_bytes"),
        "33554432",
    ),
    ("swappiness", ["--memory-swappiness", "7"], group("memory", "memory.swappiness"), "7"),
    (
        "no oom killer",
        ["--oom-kill-disable", "-m", "64m"],
        "head -1 /sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 1",
    ),
    ("shares", ["--cpu-shares", "512"], group("cpu", "cpu.shares"), "512"),
    ("period", ["--cpu-period", "50000", "--cpu-quota", "25000"], group("cpu", "cpu.cfs_period_us"), "50000"),
    ("quota", ["--cpu-period", "50000", "--cpu-quota", "25000"], group("cpu", "cpu.cfs_quota_us"), "25000"),
    ("cpus", ["--cpus", "0.5"], group("cpu", "cpu.cfs_quota_us"), "50000"),
    ("cpuset", ["--cpuset-cpus", "0"], group("cpuset", "cpuset.cpus"), "0"),
    ("cpuset seen", ["--cpuset-cpus", "0"], STATUS.format("Cpus_allowed_list"), "Cpus_allowed_list:0"),
    ("mems", ["--cpuset-mems", "0"], group("cpuset", "cpuset.mems"), "0"),
    ("pids", ["--pids-limit", "77"], group("pids", "pids.max"), "77"),
    ("pids unlimited", ["--pids-limit", "-1"], group("pids", "pids.max"), "max"),
    ("device rule", ["--device-cgroup-rule", "c 42:* rmw"], "grep 42 /sys/fs/cgroup/devices/devices.list", "c 42:* rwm"),
    (
        "device",
        ["--device", "/dev/null:/dev/mine:r"],
        "ls -l /dev/mine | cut -c1; head -c1 /dev/mine | wc -c; grep '1:3 ' /sys/fs/cgroup/devices/devices.list",
        "c\n0\nc 1:3 rwm",
    ),
]  # fmt: skip

PROCESS = [
    ("user", ["-u", "1234:99"], "id -u; id -g", "1234\n99"),
    ("user by name", ["-u", "alice"], "id -un", "alice"),
    ("groups", ["--group-add", "77", "--group-add", "daemon"], STATUS.format("Groups"), "Groups:0177"),
    ("one capability", ["--cap-drop", "ALL", "--cap-add", "CHOWN"], STATUS.format("CapEff"), "CapEff:0000000000000001"),
    ("all but one", ["--cap-drop", "CHOWN"], STATUS.format("CapBnd"), "CapBnd:00000000a80425fa"),
    ("no new privileges", ["--security-opt", "no-new-privileges"], STATUS.format("NoNewPrivs"), "NoNewPrivs:1"),
    ("filter", [], STATUS.format("Seccomp"), "Seccomp:2"),
    ("no filter", ["--security-opt", "seccomp=unconfined"], STATUS.format("Seccomp"), "Seccomp:0"),
    ("privileged", ["--privileged"], STATUS.format("Seccomp"), "Seccomp:0"),
    ("oom score", ["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj", "500"),
    ("files", ["--ulimit", "nofile=123:456"], "ulimit -Sn; ulimit -Hn", "123\n456"),
    ("core", ["--ulimit", "core=0"], "ulimit -c", "0"),
    ("processes", ["--ulimit", "nproc=77"], "grep 'Max processes' /proc/self/limits | tr -s ' '", "Max processes 77 77 processes "),
    ("hostname", ["-h", "box"], "hostname; cat /etc/hostname", "box\nbox"),
    ("domainname", ["--domainname", "example"], "cat /proc/sys/kernel/domainname", "example"),
    ("environment", ["-e", "A=1", "-e", "PATH=/bin"], "echo $A $PATH", "1 /bin"),
    ("working folder", ["-w", "/made/here"], "pwd", "/made/here"),
    ("entrypoint", ["--entrypoint", "/bin/sh"], "echo $0", "/bin/sh"),
    ("init", ["--init"], "head -c 22 /proc/1/cmdline | tr '\\0' ' '", "/sbin/docker-init -- s"),
    ("terminal", ["-t"], "tty; echo $TERM", "/dev/pts/0\r\nxterm\r"),
]  # fmt: skip

NAMESPACES = [
    ("sysctl", ["--sysctl", "net.ipv4.ip_forward=0"], "cat /proc/sys/net/ipv4/ip_forward", "0"),
    ("sysctl of ipc", ["--sysctl", "kernel.msgmax=4096"], "cat /proc/sys/kernel/msgmax", "4096"),
    ("host pids", ["--pid", "host"], "test -d /proc/2 && echo seen", "seen"),
    ("own pids", [], "echo $$", "1"),
    ("no network", ["--network", "none"], "ls /sys/class/net", "lo"),
    ("mac address", ["--mac-address", "02:42:ac:11:00:99"], "cat /sys/class/net/eth0/address", "02:42:ac:11:00:99"),
    ("servers", ["--dns", "10.9.8.7"], "grep nameserver /etc/resolv.conf", "nameserver 10.9.8.7"),
    ("search", ["--dns-search", "example.org"], "grep search /etc/resolv.conf", "search example.org"),
    ("options", ["--dns-option", "ndots:3"], "grep options /etc/resolv.conf", "options ndots:3"),
    ("hosts", ["--add-host", "box:10.1.2.3"], "grep box /etc/hosts", "10.1.2.3\tbox"),
    ("gateway", ["--add-host", "up:host-gateway"], "grep up$ /etc/hosts", r"172\.\d+\.0\.1\tup"),
    ("host uts", ["--uts", "host"], "hostname", re.escape(Path("/proc/sys/kernel/hostname").read_text().strip())),
]

FILES = [
    ("read-only", ["--read-only"], f"{MOUNT.format('/')} | cut -d' ' -f6 | cut -d, -f1; touch /x 2>/dev/null; echo $?", "ro\n1"),
    ("tmpfs", ["--tmpfs", "/t:size=1m,mode=0700"], f"{MOUNT.format('/t')} | grep -o 'size=[0-9]*k'; stat -c %a /t", "size=1024k\n700"),
    ("tmpfs options", ["--tmpfs", "/t:ro,exec"], f"{MOUNT.format('/t')} | cut -d' ' -f6", "ro,nosuid,nodev.*"),
    ("mount tmpfs", ["--mount", "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=0711"], "stat -c %a /t; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2", "711\n2048"),
    ("shared memory", ["--shm-size", "8m"], "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2", "8192"),
    ("no shared memory", ["--ipc", "none"], f"{MOUNT.format('/dev/shm')} | wc -l", "0"),
    ("bind", ["-v", "/etc/hostname:/h:ro"], f"{MOUNT.format('/h')} | cut -d' ' -f6 | cut -d, -f1; test -s /h && echo there", "ro\nthere"),
    ("volume", ["-v", "/data"], f"{MOUNT.format('/data')} | wc -l", "1"),
    ("masked", [], "cat /proc/kcore | wc -c; ls /proc/acpi /proc/scsi 2>/dev/null | grep -v : | tr -d '\\n'", "0"),
    ("not masked", ["--security-opt", "systempaths=unconfined"], "grep -c ' /proc/kcore ' /proc/self/mountinfo", "0"),
    ("read-only paths", [], "grep ' /proc/sys ' /proc/self/mountinfo | cut -d' ' -f6 | cut -d, -f1", "ro"),
    ("privileged paths", ["--privileged"], "grep -c ' /proc/sys ' /proc/self/mountinfo", "0"),
    ("privileged devices", ["--privileged"], "test -c /dev/kmsg && echo there", "there"),
    ("volumes from", ["--volumes-from", "donor"], "cat /given/file", "content"),
]  # fmt: skip


OURS_ONLY = frozenset(["privileged", "privileged paths", "privileged devices", "mac address"])
"""What the reference of this version cannot do on a host without CAP_SYS_RESOURCE, or hears in another field."""


def measured(engine: Engine, options: list[str], script: str) -> str:
    words = ["busybox", "-c", script] if "--entrypoint" in options else ["busybox", "sh", "-c", script]
    done = engine.docker("run", "--rm", *options, *words)
    return done.stdout.decode().rstrip("\n")


@pytest.mark.parametrize(
    ("options", "script", "expected"),
    [pytest.param(*row[1:], id=row[0]) for row in (*PROCESS, *NAMESPACES, *FILES)],
)
def test_what_it_does_inside(
    either: Engine, options: list[str], script: str, expected: str, request: pytest.FixtureRequest
) -> None:
    if not isinstance(either, Havre) and any(f"-{name}]" in request.node.name for name in OURS_ONLY):
        pytest.skip("not on the reference")
    if "donor" in options:
        donor = ["run", "--name", "donor", "-v", "/given", "busybox", "sh", "-c", "echo content > /given/file"]
        either.docker(*donor, check=True)
    try:
        assert re.fullmatch(expected, measured(either, options, script), re.DOTALL), measured(either, options, script)
    finally:
        if "donor" in options:
            either.docker("rm", "-v", "donor", check=True)


@pytest.mark.skipif(not V1, reason="this host has cgroup v2 only: tests/root/kernel/cgroups reads its files")
@pytest.mark.parametrize(("options", "script", "expected"), [pytest.param(*row[1:], id=row[0]) for row in LIMITS])
def test_what_the_cgroup_says(either: Engine, options: list[str], script: str, expected: str) -> None:
    assert measured(either, options, script) == expected


def test_a_seccomp_file(either: Engine, tmp_path: Path) -> None:
    profile = (
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'
    )
    (tmp_path / "profile.json").write_text(profile)
    options = ["--security-opt", f"seccomp={tmp_path}/profile.json"]
    assert measured(either, options, "mkdir /x 2>/dev/null; echo $?") == "1"


@pytest.mark.parametrize("mode", ["pid", "ipc", "network"])
def test_namespaces_of_another_container(either: Engine, mode: str) -> None:
    name = {"network": "net"}.get(mode, mode)
    either.docker("run", "-d", "--name", "donor", "--ipc", "shareable", "busybox", "sleep", "300", check=True)
    try:
        wanted = either.out("exec", "donor", "readlink", f"/proc/1/ns/{name}")
        assert measured(either, [f"--{mode}", "container:donor"], f"readlink /proc/self/ns/{name}") == wanted
        assert measured(either, [], f"readlink /proc/self/ns/{name}") != wanted
    finally:
        either.docker("rm", "-f", "donor", check=True)


def test_a_parent_cgroup(either: Engine) -> None:
    said = measured(either, ["--cgroup-parent", "/hv-parent", "--cgroupns", "host"], "grep pids: /proc/self/cgroup")
    assert re.fullmatch(r"\d+:pids:/hv-parent/[0-9a-f]{64}", said)


def test_labels_of_files_and_flags(either: Engine, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("# a comment\na=1\nb\n\nc=from file\n")
    either.docker(
        "create", "--name", "one", "--label-file", f"{tmp_path}/labels", "-l", "c=flag", "busybox", "true", check=True
    )
    try:
        shown = either.out("inspect", "-f", "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "one")
        assert shown == "a=1;c=flag;"  # as docker reads it: a name alone says nothing
    finally:
        either.docker("rm", "one", check=True)


def test_stop_signal_and_timeout(either: Engine) -> None:
    script = "trap 'exit 5' USR1; trap '' TERM; touch /ready; while true; do sleep 0.05; done"
    either.docker(
        "run",
        "-d",
        "--name",
        "one",
        "--stop-signal",
        "USR1",
        "--stop-timeout",
        "30",
        "busybox",
        "sh",
        "-c",
        script,
        check=True,
    )
    try:
        while either.docker("exec", "one", "test", "-e", "/ready").returncode:
            pass
        either.docker("stop", "one", check=True)
        assert either.out("inspect", "-f", "{{.State.ExitCode}}", "one") == "5"
    finally:
        either.docker("rm", "-f", "one", check=True)


def test_annotations_reach_the_runtime(havre: Havre, tmp_path: Path) -> None:
    """The reference of this version has no annotations."""
    made = havre.out("run", "-d", "--annotation", "a.b=c", "busybox", "sleep", "300")
    try:
        assert havre.out("inspect", "-f", "{{json .HostConfig.Annotations}}", made) == '{"a.b":"c"}'
    finally:
        havre.docker("rm", "-f", made, check=True)
