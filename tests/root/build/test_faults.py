"""Builds that are cut, cancelled or fed with lies: nothing is left, and what is there is right."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, PYTHON, Havre
from tests.support.hosts import new_host
from tests.support.leaks import Snapshot, take

pytestmark = pytest.mark.root

NAP = "sleep 86313"


def until(met: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def naps() -> list[str]:
    return subprocess.run(["pgrep", "-f", f"^{NAP}"], check=False, capture_output=True, text=True).stdout.split()


def started(havre: Havre, text: str, *, docker: bool = False, flags: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """A build whose command naps."""
    program = [DOCKER] if docker else [PYTHON, "-m", "havre.cli.main"]
    environment = {**havre.environment(), "DOCKER_BUILDKIT": "0"}
    build = subprocess.Popen(
        [*program, "build", *flags, "-"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert build.stdin is not None
    build.stdin.write(text.encode())
    build.stdin.close()
    until(naps)
    return build


def held(havre: Havre) -> Snapshot:
    return take(havre.host, havre.data_root, havre.exec_root, havre.pid)


def leftovers(havre: Havre) -> set[str]:
    """What a build may leave behind on this host, by name."""
    found = set(naps())
    for folder in (
        havre.data_root / "build" / "contexts",
        havre.data_root / "build" / "contexts" / "trash",
        havre.data_root / "containers",
        havre.data_root / "overlay2" / "staging",
        havre.data_root / "content" / "ingest",
        havre.exec_root / "mounts",
        havre.exec_root / "shm",
        havre.exec_root / "build",
        havre.exec_root / "netns",
    ):
        if folder.is_dir():
            found |= {f"{folder}/{name}" for name in os.listdir(folder) if name not in {"trash", "default"}}
    keys = [
        name
        for name in os.listdir(havre.data_root / "overlay2")
        if (havre.data_root / "overlay2" / name / "merged").exists()
    ]
    return (
        found
        | set(keys)
        | {line for line in Path("/proc/mounts").read_text().splitlines() if str(havre.exec_root) in line}
    )


def none_of(names: set[str]) -> bool:
    """Whether there are none; a test that waits in vain shows which."""
    if names:
        print(names)
    return not names


@pytest.fixture
def clean(havre: Havre) -> Callable[[], bool]:
    """Whether nothing is there that was not there before."""
    havre.havre("build", "-q", "-", stdin=b"FROM busybox\nRUN true\n", check=True)
    until(lambda: not leftovers(havre))
    return lambda: none_of(leftovers(havre))


@pytest.mark.parametrize("docker", [False, True], ids=["havre", "docker"])
def test_a_client_that_goes_away(havre: Havre, clean: Callable[[], bool], tmp_path: Path, docker: bool) -> None:  # noqa: FBT001
    (tmp_path / "s").write_text("secret")
    mounts = "" if docker else "--mount=type=secret,id=s --mount=type=bind,target=/c,rw --mount=type=cache,target=/k "
    flags = () if docker else ("--secret", f"id=s,src={tmp_path}/s")
    build = started(havre, f"FROM busybox\nRUN touch /x\nRUN {mounts}{NAP}\n", docker=docker, flags=flags)
    build.send_signal(signal.SIGINT)
    build.wait(10)
    until(lambda: not naps(), 2)
    until(clean, 5)


def test_a_killed_client(havre: Havre, clean: Callable[[], bool]) -> None:
    build = started(havre, f"FROM busybox\nRUN {NAP}\n")
    build.kill()
    build.wait(10)
    until(lambda: not naps(), 2)
    until(clean, 5)


def test_parallel_stages_end_together(havre: Havre, clean: Callable[[], bool]) -> None:
    stages = "".join(f"FROM busybox AS s{n}\nRUN : {n}; {NAP}\n" for n in range(3))
    copies = "".join(f"COPY --from=s{n} /bin/busybox /{n}\n" for n in range(3))
    build = started(havre, f"{stages}FROM scratch\n{copies}")
    build.terminate()
    build.wait(10)
    until(clean, 5)


def test_a_killed_daemon_while_a_command_runs(havre: Havre, clean: Callable[[], bool], tmp_path: Path) -> None:
    (tmp_path / "s").write_text("secret")
    mounts = "--mount=type=secret,id=s --mount=type=bind,target=/c,rw"
    text = f"FROM busybox\nRUN cat /proc/uptime > /stamp\nRUN {mounts} {NAP}\n"
    build = started(havre, text, flags=("--secret", f"id=s,src={tmp_path}/s"))
    havre.kill()
    build.wait(10)
    havre.start()
    until(lambda: not naps(), 20)
    until(clean, 20)
    assert havre.havre("build", "-q", "-", stdin=b"FROM busybox\nRUN cat /proc/uptime > /stamp\n").returncode == 0


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
def test_a_killed_daemon_at_any_moment(havre: Havre, clean: Callable[[], bool], after_s: float) -> None:
    """Whatever it was doing: afterwards the same build gives what it must, and every image can be saved."""
    text = (
        f"FROM busybox\nRUN echo {after_s} > /a && rm /etc/group\nCOPY <<x /x\nhello\nx\n"
        f"WORKDIR /w/{after_s}\nRUN ls / > /l\n"
    )
    environment = havre.environment()
    build = subprocess.Popen(
        [PYTHON, "-m", "havre.cli.main", "build", "-t", "cut", "-"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert build.stdin is not None
    build.stdin.write(text.encode())
    build.stdin.close()
    time.sleep(0.1 + after_s)  # where it is then is the point
    havre.kill()
    build.wait(10)
    havre.start()
    until(clean, 20)
    havre.havre("build", "-q", "-t", "cut", "-", stdin=text.encode(), check=True)
    said = havre.out("run", "--rm", "--network", "none", "cut", "sh", "-c", "cat /a /x; ls -d /w/*; ls /etc")
    assert said.split() == [str(after_s), "hello", f"/w/{after_s}", "hostname", "hosts", "passwd", "resolv.conf"]
    assert havre.docker("save", "cut", check=True).stdout


def archive(*members: tuple[tarfile.TarInfo, bytes], dockerfile: str = "FROM busybox\nCOPY . /in\n") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        text = tarfile.TarInfo("Dockerfile")
        text.size = len(dockerfile)
        made.addfile(text, io.BytesIO(dockerfile.encode()))
        for member, data in members:
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def regular(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


LIES = {
    "not an archive": b"this is no archive" * 100,
    "empty": b"",
    "cut": archive(regular("big", b"x" * 100_000))[:50_000],
    "cut in a header": archive(regular("a"))[:1400],
    "parent": archive(regular("../escaped")),
    "parent deep": archive(regular("a/../../escaped")),
    "through a link": archive(link("l", "/tmp"), regular("l/escaped-by-link")),
    "hard link out": archive(link("h", "/etc/passwd", tarfile.LNKTYPE)),
    "gzip that is none": b"\x1f\x8b\x08\0garbage" * 50,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_context_that_lies(havre: Havre, clean: Callable[[], bool], lie: bytes) -> None:
    before = set(os.listdir("/tmp"))
    done = havre.build("-f", "Dockerfile", "-", stdin=lie or b"\x1f\x8b")
    if done.returncode == 0:
        assert b"Successfully built" in done.stdout
    assert not [name for name in set(os.listdir("/tmp")) - before if "escaped" in name]
    assert not (havre.data_root / "build" / "escaped").exists()
    until(clean, 5)
    assert havre.havre("build", "-q", "-", stdin=b"FROM busybox\nRUN true\n").returncode == 0


SOURCES = [
    (archive(link("l", "/etc/hostname"), dockerfile="FROM busybox\nCOPY l /x\n"), "file not found"),
    (archive(link("l", "../../../../etc/hostname"), dockerfile="FROM busybox\nCOPY l /x\n"), "file not found"),
    (archive(link("d", "/etc"), dockerfile="FROM busybox\nCOPY d /x\n"), "file not found"),
    (archive(link("d", "/"), dockerfile="FROM busybox\nCOPY d/etc/hostname /x\n"), "file not found"),
    (archive(link("d", "/etc"), dockerfile="FROM busybox\nCOPY d/* /x/\n"), "no source files"),
]


@pytest.mark.parametrize(("context", "reason"), SOURCES)
def test_sources_do_not_leave_the_context(havre: Havre, context: bytes, reason: str) -> None:
    done = havre.build("-f", "Dockerfile", "-", stdin=context)
    assert done.returncode == 1
    assert reason in done.stderr.decode()


@pytest.mark.parametrize("rules", [b"*.txt\n" * 100_000, b"**/*/**/*a*b*c*\n" * 2000])
def test_a_hundred_thousand_patterns(havre: Havre, rules: bytes) -> None:
    context = archive(regular(".dockerignore", rules), regular("a" * 90 + ".txt"))
    started_at = time.monotonic()
    assert havre.build("-f", "Dockerfile", "-", stdin=context).returncode == 0
    assert time.monotonic() - started_at < 60, "it ends at all"


def test_destinations_stay_inside_the_image(havre: Havre) -> None:
    """Links of the image lead inside its own root, for COPY, WORKDIR, ADD and mounts."""
    text = (
        "FROM busybox\nRUN ln -s /etc /link && ln -s ../../../../../../tmp /up && mkdir /real && ln -s / /root2\n"
        "COPY f /link/copied\nCOPY f /up/copied\nWORKDIR /root2/made\nCOPY f rel\n"
        "RUN --mount=type=tmpfs,target=/link/tmp ls -d /etc/tmp\n"
        "RUN test -f /etc/copied && test -f /tmp/copied && test -f /made/rel && test ! -e /etc/tmp && test -L /link\n"
    )
    done = havre.build("-f", "Dockerfile", "-", stdin=archive(regular("f"), dockerfile=text))
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    assert not Path("/etc/copied").exists()
    assert not Path("/tmp/copied").exists()


def test_copies_from_stages_stay_inside_them(havre: Havre) -> None:
    text = (
        "FROM busybox AS evil\nRUN ln -s /proc/self/root/etc /out && ln -s ../../../../etc/hostname /host\n"
        "FROM busybox\nCOPY --from=evil /host /stolen\n"
    )
    done = havre.build("-", stdin=text.encode())
    assert done.returncode == 1
    assert "file not found" in done.stderr.decode()


def test_a_disk_that_is_full(havre: Havre, tmp_path: Path) -> None:
    """The answer says so, the daemon goes on, and nothing of the attempt is left."""
    with new_host() as host:
        _fill(Havre(host, tmp_path / "small"), havre.docker("save", "busybox", check=True).stdout)


def _fill(small: Havre, busybox: bytes) -> None:
    small.data_root.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", str(small.data_root)], check=True)
    try:
        small.start()
        small.docker("load", stdin=busybox, check=True)
        big = small.havre(
            "build", "--network", "none", "-", stdin=b"FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=30\n"
        )
        assert big.returncode == 1, big.stderr.decode()
        assert "No space left" in big.stderr.decode()
        copied = archive(regular("big", os.urandom(15 << 20)))
        done = small.build("-f", "Dockerfile", "-", stdin=copied)
        assert done.returncode == 1
        assert "No space left" in done.stderr.decode() + done.stdout.decode()
        until(lambda: not leftovers(small), 10)
        good = small.havre("build", "--network", "none", "-q", "-", stdin=b"FROM busybox\nRUN echo fits > /f\n")
        assert good.returncode == 0, good.stderr.decode()
    finally:
        small.stop()
        subprocess.run(["umount", str(small.data_root)], check=True)


def test_the_handles_come_back(havre: Havre, clean: Callable[[], bool]) -> None:
    before = held(havre).descriptors
    for _ in range(5):
        havre.havre(
            "build", "-q", "--no-cache", "-", stdin=b"FROM busybox\nRUN true\nCOPY <<x /x\nhello\nx\n", check=True
        )
        havre.havre("build", "-q", "-", stdin=b"FROM busybox\nRUN exit 1\n")
    until(lambda: held(havre).descriptors <= before, 10)
