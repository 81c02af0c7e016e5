"""R-06 and I-07: what a container sees of us while we enter it, and what of it we ever run."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host

pytestmark = pytest.mark.root

CANARY = "havre-canary-of-the-host"
WATCHER = """
import os, sys
marker, canary = sys.argv[1], sys.argv[2].encode()
seen, kept, own = set(), [], os.getpid()
FINE = ("/memfd:", "/dev/", "/proc", "/sys/fs/cgroup", "/bin")
print("watching", flush=True)
while not os.path.exists("/tmp/enough"):
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (1, own): continue
        base = "/proc/" + name
        try:
            exe = os.open(base + "/exe", os.O_RDONLY)
            target = os.readlink("/proc/self/fd/%d" % exe)
            if "busybox" in target: os.close(exe)
            elif len(kept) < 200: kept.append((exe, target))
            else: os.close(exe)
        except OSError: pass
        try: os.close(os.open(base + "/exe", os.O_WRONLY)); seen.add("WRITTEN exe of " + name)
        except OSError: pass
        for way in ("root", "cwd"):
            try:
                if os.path.exists(base + "/" + way + marker): seen.add("MARKER by " + way)
            except OSError: pass
        try:
            for fd in os.listdir(base + "/fd"):
                if os.path.exists(base + "/fd/" + fd + marker): seen.add("MARKER by fd " + fd)
                if int(fd) > 2:
                    to = os.readlink(base + "/fd/" + fd)
                    if to.startswith("/") and not to.startswith(FINE): seen.add("HANDLE " + to)
        except OSError: pass
        for file in ("environ", "cmdline"):
            try:
                if canary in open(base + "/" + file, "rb").read(): seen.add("CANARY in " + file)
            except OSError: pass
for exe, target in kept:
    try: os.close(os.open("/proc/self/fd/%d" % exe, os.O_WRONLY)); seen.add("WRITTEN later: " + target)
    except OSError: pass
print(len(kept), "programs of others were seen")
for line in sorted(seen): print("FOUND", line)
print("through", flush=True)
"""


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Havre]:
    monkeypatch.setenv("HAVRE_TEST_CANARY", CANARY)
    with running(Havre(host, tmp_path / "hv")) as made:
        assert isinstance(made, Havre)
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


@pytest.mark.parametrize("flags", [[], ["--cap-add", "SYS_PTRACE"]], ids=["plain", "with ptrace"])
def test_nothing_of_the_host_shows_while_we_enter(engine: Havre, tmp_path: Path, flags: list[str]) -> None:
    """R-06, CVE-2016-9962, CVE-2019-5736, CVE-2024-21626: 200 sessions under the eyes of the container."""
    marker = tmp_path / "marker"
    marker.mkdir()
    python = Path(sys.executable).resolve()
    folders = {"/usr", "/lib", "/lib64", str(python.parents[1])}
    mounts = [word for folder in sorted(folders) if Path(folder).exists() for word in ("-v", f"{folder}:{folder}:ro")]
    watch = [str(python), "-I", "-S", "-c", WATCHER, str(marker), CANARY]
    engine.out("run", "-d", "--name", "watched", *flags, *mounts, "busybox", *watch)
    api = engine.api()
    try:
        until_said(engine, "watching")
        for number in range(200):
            wish = {"Cmd": ["/bin/true"], "User": "alice" if number % 3 == 0 else "", "Privileged": number % 5 == 0}
            made = api.post("/containers/watched/exec", wish).json["Id"]
            assert api.post(f"/exec/{made}/start", {"Detach": True}).status == 200
            while api.get(f"/exec/{made}/json").json["Running"]:
                time.sleep(0.001)
    finally:
        api.close()
    engine.out("exec", "watched", "/bin/touch", "/tmp/enough")  # one of the host would load its libraries
    until_said(engine, "through")
    said = engine.out("logs", "watched")
    print(said)
    assert "FOUND" not in said


def until_said(engine: Havre, word: str) -> None:
    deadline = time.monotonic() + 60
    while word not in engine.out("logs", "watched"):
        assert time.monotonic() < deadline, engine.out("logs", "watched")
        time.sleep(0.05)


TOOLS = ["tar", "gzip", "unpigz", "xz", "ps", "getent", "sh", "python3", "nsenter", "mount", "cat", "id", "login"]
LIBRARIES = [
    *("lib/x86_64-linux-gnu/libnss_files.so.2", "etc/ld.so.preload", "usr/lib/python3/encodings/idna.py"),
    *(
        "lib64/ld-linux-x86-64.so.2",
        "lib/x86_64-linux-gnu/libc.so.6",
        "usr/lib/locale/locale-archive",
        "etc/nsswitch.conf",
    ),
]


def trapped(folders: list[str]) -> bytes:
    """An image whose every tool tells the host that it was run; `/busybox` alone is honest."""
    trap = b"#!/busybox sh\n/busybox touch /sprung\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in [f"{folder}/{tool}" for folder in folders for tool in TOOLS] + LIBRARIES:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(trap), 0o755
            archive.addfile(member, io.BytesIO(trap))
        archive.add("/bin/busybox", "busybox")
    return buffer.getvalue()


def test_nothing_of_a_running_image_is_run_or_loaded(engine: Havre, tmp_path: Path) -> None:
    """I-07, CVE-2019-14271, CVE-2022-1227, CVE-2026-41567: top, exec, probe, cp, diff, commit, export and logs."""
    engine.docker(
        "import", "-", "traps", stdin=trapped(["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"]), check=True
    )
    body = {
        "Image": "traps",
        "Cmd": ["/busybox", "sleep", "1000"],
        "Healthcheck": {"Test": ["CMD", "/busybox", "true"], "Interval": 200_000_000},
    }
    api = engine.api()
    made = api.post("/containers/create", body, name="trapped").json["Id"]
    assert api.post(f"/containers/{made}/start").status == 204
    api.close()
    deadline = time.monotonic() + 60
    while json.loads(engine.out("inspect", "-f", "{{json .State.Health}}", made))["Status"] != "healthy":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (tmp_path / "f").write_text("x")
    engine.docker("top", made, check=True)
    engine.docker("top", made, "-eo", "pid,user,args", check=True)
    assert engine.out("exec", "-u", "1234:5678", "-w", "/etc", made, "/busybox", "pwd") == "/etc"
    engine.docker("cp", "-a", str(tmp_path / "f"), f"{made}:/f", check=True)
    engine.docker("cp", f"{made}:/bin", "-", check=True)
    engine.docker("export", made, check=True)
    engine.out("commit", made, "traps:2")
    engine.docker("stats", "--no-stream", made, check=True)
    engine.docker("logs", made, check=True)
    assert sorted(engine.out("diff", made).splitlines())[:1] != ["A /sprung"]
    assert "sprung" not in engine.out("diff", made)
    assert not os.path.exists("/sprung")
    engine.docker("exec", made, "/bin/sh", check=True)
    assert "A /sprung" in engine.out("diff", made)  # the trap itself works
