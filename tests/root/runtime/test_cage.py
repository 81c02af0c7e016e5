"""What a container must not be able to do: tests R-03 to R-27 as far as the runtime alone shows them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from havre.oci.runtime_spec import Mount, Rlimit
from havre.runtime import defaults
from havre.runtime.runtime import Runtime, StartFailed
from tests.support.bundles import CAPABILITIES, Place, busybox_tree, capabilities

pytestmark = pytest.mark.root

FINGERPRINT = {
    "CapInh": "0000000000000000",
    "CapPrm": "00000000a80425fb",
    "CapEff": "00000000a80425fb",
    "CapBnd": "00000000a80425fb",
    "CapAmb": "0000000000000000",
    "Seccomp": "2",
    "NoNewPrivs": "0",
    "Groups": "0 10",
}


def fields(status: str) -> dict[str, str]:
    return {key: value.strip() for key, _, value in (line.partition(":") for line in status.splitlines())}


def python_mounts() -> list[Mount]:
    """The host's interpreter, read-only, for what busybox cannot try."""
    folders = {"/usr", "/lib", "/lib64", str(Path(sys.executable).resolve().parents[1])}
    return [
        Mount(destination=folder, type="bind", source=os.path.realpath(folder), options=["rbind", "ro"])
        for folder in sorted(folders)
        if Path(folder).exists()
    ]


async def run_python(place: Place, program: str, **changes: object) -> str:
    interpreter = str(Path(sys.executable).resolve())
    done = await place.run(interpreter, "-I", "-S", "-c", program, mounts=python_mounts(), **changes)
    return done.output


async def test_fingerprint_of_root(place: Place) -> None:
    """R-01."""
    found = fields((await place.run("cat", "/proc/self/status")).output)
    assert {key: found[key] for key in FINGERPRINT} == FINGERPRINT


@pytest.mark.parametrize(
    "names", [CAPABILITIES, [*CAPABILITIES, "CAP_SYS_ADMIN"], []], ids=["default", "added", "none"]
)
@pytest.mark.parametrize("user", ["0", "ann"])
async def test_inheritable_and_ambient_are_empty(place: Place, user: str, names: list[str]) -> None:
    """R-03."""
    found = fields((await place.run("cat", "/proc/self/status", user=user, capabilities=capabilities(names))).output)
    assert found["CapInh"] == found["CapAmb"] == "0" * 16
    if user == "ann":
        assert found["CapPrm"] == found["CapEff"] == "0" * 16


async def test_only_three_descriptors(place: Place, tmp_path: Path, image: Path) -> None:
    """R-04: whatever havred and the launcher have open."""
    held = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(500)]
    try:
        for fd in held:
            os.set_inheritable(fd, True)
        other = Place(tmp_path / "other", image, Runtime(tmp_path / "other/run"), place.cgroup)
        await other.runtime.open()
        try:
            shim, client = await other.launch(other.bundle("sh", "-c", "ls /proc/$$/fd; echo end; sleep 100"))
            assert (await client.read_until(b"end")).split() == [b"0", b"1", b"2", b"end"]
            assert (await other.execute(shim, "sh", "-c", "ls /proc/$$/fd; true")).words == ["0", "1", "2"]
            client.close()
            await other.end(shim)
        finally:
            await other.runtime.close()
    finally:
        for fd in held:
            os.close(fd)


async def test_working_folder_cannot_be_a_leaked_handle(place: Place) -> None:
    """R-05, CVE-2024-21626: by both doors, directly and through a link of the image."""
    shim, client = await place.launch(place.bundle("sleep", "1000"))
    for number in range(24):
        for cwd in (f"/proc/self/fd/{number}", f"/tmp/../proc/self/fd/{number}"):
            for make in (False, True):
                with pytest.raises(StartFailed):
                    await place.run("pwd", cwd=cwd, make_cwd=make)
        with pytest.raises(StartFailed):
            await place.execute(shim, "pwd", cwd=f"/proc/self/fd/{number}")
    client.close()
    await place.end(shim)


@pytest.mark.parametrize("link", ["proc", "sys", "dev", "dev/pts", "dev/shm", "etc/hosts"])
@pytest.mark.parametrize("target", ["{marker}", "../../../../../..{marker}", "/tmp", "/proc", "/dev/../proc"])
async def test_links_in_the_image_lead_nowhere(place: Place, tmp_path: Path, link: str, target: str) -> None:
    """R-08: refused, or mounted inside; the marker on the host is the same."""
    marker = tmp_path / "marker"
    marker.mkdir()
    (marker / "file").write_text("untouched")
    before = sorted(path.name for path in marker.rglob("*")), marker.stat()
    place.image = busybox_tree(tmp_path / "evil")
    victim = place.image / link
    victim.parent.mkdir(exist_ok=True)
    if victim.is_dir():
        victim.rmdir()
    victim.symlink_to(target.format(marker=marker))
    hosts = tmp_path / "hosts"
    hosts.write_text("hosts")
    mounts = [Mount(destination="/etc/hosts", type="bind", source=str(hosts), options=["rbind", "rprivate"])]
    try:
        await place.run("sh", "-c", "echo x > /dev/shm/x; echo x > /etc/hosts", mounts=mounts)
    except StartFailed as error:
        assert error.exit_code in {126, 127, 128}
    after = sorted(path.name for path in marker.rglob("*")), marker.stat()
    assert after == before
    assert (marker / "file").read_text() == "untouched"


async def test_masks_hold(place: Place) -> None:
    """R-11: no reading, writing, removing, unmounting or remounting, whatever single capability is added."""
    program = """
    for path in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /sys/firmware /proc/acpi /proc/scsi; do
        test -e $path || continue
        if test -d $path; then test -z "$(ls -A $path)" || echo LISTED $path
        else test -z "$(cat $path 2>/dev/null)" || echo READ $path; fi
        rm -rf $path 2>/dev/null && echo REMOVED $path
        umount $path 2>/dev/null && echo UNMOUNTED $path
        umount -l $path 2>/dev/null && echo UNMOUNTED $path
        mount -o remount,rw $path 2>/dev/null && echo REMOUNTED $path
        touch $path/x 2>/dev/null && echo WRITTEN $path
    done; echo through"""
    assert (await place.run("sh", "-c", program)).output == "through\n"


@pytest.mark.parametrize("target", ["/tmp/file", "/dev/zero", "/proc/1/root"])
async def test_masks_hold_below_a_volume_over_dev(place: Place, tmp_path: Path, target: str) -> None:
    """R-10, CVE-2025-31133: what masks is never taken from there unless it is the true device."""
    volume = tmp_path / "dev"
    volume.mkdir()
    for name in ("null", "console", "ptmx", "zero", "full", "random", "urandom", "tty"):
        (volume / name).symlink_to(target)
    mounts = [Mount(destination="/dev", type="bind", source=str(volume), options=["rbind", "rprivate"])]
    show = "for p in /proc/keys /proc/timer_list /proc/interrupts; do stat -L -c '%t:%T' $p; cat $p; done"
    bundle = place.bundle("sh", "-c", show)
    kept = [entry for entry in bundle.spec.mounts or [] if not entry.destination.startswith("/dev")]
    bundle = replace(bundle, spec=replace(bundle.spec, mounts=[*kept, *mounts]))
    try:
        shim, client = await place.launch(bundle)
    except StartFailed:
        return
    assert set((await client.read_all()).split()) <= {"1:3"}
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(bundle.id)


async def test_readonly_paths_and_root(place: Place, tmp_path: Path) -> None:
    """R-12: also through other mounts, and recursively below a read-only bind."""
    outer = tmp_path / "outer"
    (outer / "inner").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "inner", str(outer / "inner")], check=True)
    try:
        mounts = [
            Mount(destination="/ro", type="bind", source=str(outer), options=["rbind", "rro", "rprivate"]),
            Mount(destination="/rw", type="bind", source=str(outer), options=["rbind", "rprivate"]),
        ]
        program = """
        for file in /x /etc/x /ro/x /ro/inner/x /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/x /sys/x; do
            (echo b > $file) 2>/dev/null && echo WRITTEN $file
        done
        mount -o remount,rw / 2>/dev/null && echo REMOUNTED
        echo b > /dev/shm/x && echo b > /rw/inner/x && echo through"""
        assert (await place.run("sh", "-c", program, mounts=mounts, readonly=True)).output == "through\n"
    finally:
        subprocess.run(["umount", str(outer / "inner")], check=True)


async def test_calls_that_open_the_cage(place: Place) -> None:
    """R-13."""
    program = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
calls = {"mount": 165, "umount2": 166, "pivot_root": 155, "setns": 308, "bpf": 321, "keyctl": 250, "add_key": 248,
         "io_uring_setup": 425, "userfaultfd": 323, "perf_event_open": 298, "open_by_handle_at": 304,
         "kexec_load": 246, "init_module": 175, "unshare": 272, "clone3": 435, "ptrace_": 0}
for name, number in calls.items():
    if name == "ptrace_": continue
    flag = 0x10000000 if name == "unshare" else 0
    libc.syscall(number, flag, 0, 0, 0, 0, 0)
    print(name, ctypes.get_errno())
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000, 0x4000000, 0x2000000):
    pid = libc.syscall(56, flag | 17, 0, 0, 0, 0)
    if pid == 0: os._exit(0)
    print("clone", ctypes.get_errno() if pid < 0 else "DONE")
import socket
for family in (38, 40):
    try: socket.socket(family, socket.SOCK_SEQPACKET if family == 38 else socket.SOCK_STREAM); print(family, "OPEN")
    except OSError as error: print(family, error.errno)
"""
    lines = (await run_python(place, program)).splitlines()
    assert "clone3 38" in lines
    lines.remove("clone3 38")
    assert len(lines) == 23
    assert all(line.endswith(" 1") for line in lines), lines


async def test_devices_are_what_the_rules_say(place: Place) -> None:
    """R-14, the runtime's part."""
    program = """
    for n in "b 8 0" "c 1 1" "c 10 229" "b 254 0"; do
        mknod /tmp/n $n 2>/dev/null || continue  # cgroup v2 refuses the node itself
        (exec 3</tmp/n) 2>&1 | grep -q "not permitted" || echo OPENED $n
        rm -f /tmp/n
    done
    echo x > /dev/null && dd if=/dev/zero of=/dev/null bs=1 count=1 2>/dev/null && test -e /dev/fd/0 && echo through"""
    assert (await place.run("sh", "-c", program)).output == "through\n"


async def test_cgroup_files_are_not_writable(place: Place) -> None:
    """R-15, CVE-2022-0492: and no path of the host shows."""
    program = """
    for file in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name cgroup.procs); do
        (echo 1 > $file) 2>/dev/null && echo WRITTEN $file
    done
    mkdir /sys/fs/cgroup/memory/x 2>/dev/null && echo MADE
    cut -d: -f3 /proc/self/cgroup | sort -u; grep -c havre-rt-test /proc/self/mountinfo | grep -v 0; echo through"""
    done = await place.run("sh", "-c", program)
    assert "WRITTEN" not in done.output
    assert "MADE" not in done.output
    assert done.words[0] == "/"
    assert done.words[-1] == "through"


@pytest.mark.parametrize("user", ["4294967296", "4294967295", "-1", "1_0", "٠", " 0", "huge", "0:-1", "a:b:c"])
async def test_users_that_are_none(place: Place, user: str) -> None:
    """R-17."""
    with pytest.raises(StartFailed) as caught:
        await place.run("id", user=user)
    assert caught.value.before_runtime


async def test_digits_are_never_a_name(place: Place) -> None:
    assert (await place.run("id", "-u", user="12")).output == "12\n"


def largest_kb(pid: int) -> int:
    """The most memory that a process has had."""
    return int(fields(Path(f"/proc/{pid}/status").read_text())["VmHWM"].split()[0])


@pytest.mark.parametrize("kind", ["fifo", "folder", "zero", "host", "long", "many"])
async def test_account_files_that_bite(place: Place, tmp_path: Path, kind: str) -> None:
    """R-18: an answer in good time, and no number from outside."""
    place.image = busybox_tree(tmp_path / "biting")
    for name in ("passwd", "group"):
        victim = place.image / "etc" / name
        victim.unlink()
        match kind:
            case "fifo":
                os.mkfifo(victim)
            case "folder":
                victim.mkdir()
            case "zero":
                victim.symlink_to("/dev/zero")
            case "host":
                victim.symlink_to("../../../../../../etc/passwd")
            case "long":
                victim.write_bytes(b"x" * (200 << 20))
            case "many":
                victim.write_bytes(b"a:x\n" * 2_600_000)
            case _:
                raise AssertionError(kind)
    began, before = time.monotonic(), largest_kb(place.runtime.launcher_pid)
    assert (await place.run("grep", "^Uid", "/proc/self/status", user="1234")).words[1:] == ["1234"] * 4
    with pytest.raises(StartFailed, match="no matching entries in passwd file"):
        await place.run("id", "-u", user="ann")
    assert time.monotonic() - began < 30  # it does not hang: that is the point
    assert largest_kb(place.runtime.launcher_pid) - before < 32 << 10
    shutil.rmtree(place.image)


async def test_no_new_privileges(place: Place, tmp_path: Path) -> None:
    """R-22: a set-uid file gains nothing, in exec neither; without the switch it does."""
    place.image = busybox_tree(tmp_path / "suid")
    shutil.copy("/bin/grep", place.image / "bin/strong")
    (place.image / "bin/strong").chmod(0o4755)
    show = ["/bin/strong", "-E", "^(Uid|CapEff|NoNewPrivs)", "/proc/self/status"]
    mounts = python_mounts()
    free = fields((await place.run(*show, user="ann", mounts=mounts)).output)
    assert free["Uid"].split() == ["1000", "0", "0", "0"]
    bound = fields((await place.run(*show, user="ann", mounts=mounts, no_new_privileges=True)).output)
    assert bound["Uid"].split() == ["1000"] * 4
    assert bound["CapEff"] == "0" * 16
    assert bound["NoNewPrivs"] == "1"
    shim, client = await place.launch(place.bundle("sleep", "100", mounts=mounts))
    guest = fields((await place.execute(shim, *show, user="ann", no_new_privileges=True)).output)
    assert guest == bound
    client.close()
    await place.end(shim)


async def test_sysctls(place: Place) -> None:
    """R-24."""
    good = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "12345678", "net.ipv4.conf.lo.rp_filter": "1"}
    done = await place.run("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmax", sysctl=good)
    assert done.words == ["1", "12345678"]
    for name in ("kernel.core_pattern", "vm.overcommit_memory", "net/../kernel/core_pattern", "net..x", "", "/etc/x"):
        with pytest.raises(StartFailed):
            await place.run("true", sysctl={name: "1"})
    with pytest.raises(StartFailed):
        await place.run("true", sysctl={"net.ipv4.ip_forward": "1\n0"})


async def test_sysctls_of_the_hosts_network(place: Place) -> None:
    bundle = place.bundle("true", sysctl={"net.ipv4.ip_forward": "1"})
    assert bundle.spec.linux is not None
    kept = [entry for entry in bundle.spec.linux.namespaces or [] if entry.type != "network"]
    with pytest.raises(StartFailed, match="not allowed in the hosts network namespace"):
        await place.run("true", sysctl={"net.ipv4.ip_forward": "1"}, namespaces=kept)


async def test_limits(place: Place) -> None:
    """R-25."""
    done = await place.run(
        "sh", "-c", "ulimit -n; ulimit -Hn", rlimits=[Rlimit(type="RLIMIT_NOFILE", soft=100, hard=200)]
    )
    assert done.words == ["100", "200"]
    with pytest.raises(StartFailed, match="hard limit"):
        await place.run("true", rlimits=[Rlimit(type="RLIMIT_NOFILE", soft=1, hard=1 << 40)])
    with pytest.raises(StartFailed, match="invalid rlimit type"):
        await place.run("true", rlimits=[Rlimit(type="RLIMIT_LOVE", soft=1, hard=1)])


async def test_the_hosts_devices_stay_as_they_are(place: Place) -> None:
    """R-27."""
    names = ["/dev/null", "/dev/zero", "/dev/tty", "/dev/ptmx"]
    before = [(s.st_mode, s.st_uid, s.st_gid, s.st_rdev) for s in map(os.stat, names)]
    spoil = "chown 7:7 /dev/zero /dev/stdin /proc/keys; chmod 0 /dev/null /dev/stdin /proc/keys; true"
    await place.run("sh", "-c", spoil)
    shim, client = await place.launch(place.bundle("sleep", "100"))
    await place.execute(shim, "sh", "-c", spoil)
    client.close()
    await place.end(shim)
    await place.run("true", user="ann")
    assert [(s.st_mode, s.st_uid, s.st_gid, s.st_rdev) for s in map(os.stat, names)] == before


async def test_nobody_can_write_the_interpreter(place: Place) -> None:
    """Rule 8, CVE-2019-5736: what #!/proc/self/exe runs is no file of the host that could be written."""
    interpreter = Path(sys.executable).resolve()
    before = interpreter.stat()
    shim, client = await place.launch(place.bundle("sleep", "100"))
    keeper = next(
        int(line.split()[1]) for line in Path(f"/proc/{shim.pid}/status").read_text().splitlines() if "PPid" in line
    )
    for pid in (keeper, place.runtime.launcher_pid):
        with pytest.raises(OSError):
            os.close(os.open(f"/proc/{pid}/exe", os.O_WRONLY))
        assert (os.stat(f"/proc/{pid}/exe").st_dev) != before.st_dev
    client.close()
    await place.end(shim)
    assert interpreter.stat() == before


async def test_nothing_of_the_host_in_the_helpers_environment(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sleep", "100"))
    launcher = place.runtime.launcher_pid
    assert Path(f"/proc/{launcher}/environ").read_bytes().strip(b"\0") == b""
    assert str(Path.cwd()).encode() not in Path(f"/proc/{launcher}/cmdline").read_bytes()
    client.close()
    await place.end(shim)


def test_masked_paths_cover_the_documented_ones() -> None:
    assert set(defaults.MASKED_PATHS) <= set(defaults.masked_paths())
