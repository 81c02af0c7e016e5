"""The files of containers against containers and archives that mean harm, and across a kill of the engine."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root
MARK = "only the host's\n"
SWAP = """
mkdir -p /tmp/real/etc /tmp/w; echo inside > /tmp/real/etc/mark; ln -s / /tmp/link
while :; do
  mv /tmp/w /tmp/w2; mv /tmp/link /tmp/w; mv /tmp/w /tmp/link; mv /tmp/w2 /tmp/w
  ln -sfn ../../../../../../../.. /tmp/up; rm -f /tmp/up
done
"""


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> None:
    havre.remove_all()


def started(havre: Havre, name: str, script: str, *flags: str) -> None:
    havre.out("run", "-d", "--name", name, *flags, "busybox", "sh", "-c", f"{script}\necho ready; sleep 1000")


def race(havre: Havre, folder: Path, rounds: int) -> None:
    mark = folder / "mark"
    mark.write_text(MARK)
    havre.out("run", "-d", "--name", "racer", "busybox", "sh", "-c", SWAP)
    payload = folder / "payload"
    payload.write_text("from outside\n")
    for number in range(rounds):
        havre.docker("cp", str(payload), f"racer:/tmp/w{mark}")
        havre.docker("cp", str(payload), f"racer:/tmp/link{mark}")
        taken = havre.docker("cp", f"racer:/tmp/{'w' if number % 2 else 'link'}{mark}", "-")
        assert MARK.encode() not in taken.stdout
    assert mark.read_text() == MARK
    assert sorted(path.name for path in folder.iterdir()) == ["mark", "payload"]


def test_a_container_that_swaps_folders_and_links_reaches_no_file_of_the_host(havre: Havre, tmp_path: Path) -> None:
    race(havre, tmp_path, 10)


@pytest.mark.soak
def test_the_same_for_long(havre: Havre, tmp_path: Path) -> None:
    race(havre, tmp_path, 1000)


def test_nothing_of_a_container_is_run_or_loaded(havre: Havre, tmp_path: Path) -> None:
    trap = "#!/bin/sh\ntouch /sprung\n"
    tools = ["tar", "gzip", "unpigz", "xz", "ps", "getent", "sh", "python3"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        names = [f"bin/{name}" for name in tools] + [f"usr/bin/{name}" for name in tools]
        names += ["lib/x86_64-linux-gnu/libnss_files.so.2", "etc/ld.so.preload", "usr/lib/python3/encodings/idna.py"]
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(trap), 0o755
            archive.addfile(member, io.BytesIO(trap.encode()))
    havre.docker("import", "-", "traps", stdin=buffer.getvalue(), check=True)
    havre.out("create", "--name", "trapped", "traps", "/bin/none")
    (tmp_path / "f").write_text("x")
    havre.docker("cp", "-a", str(tmp_path / "f"), "trapped:/f", check=True)
    havre.docker("cp", "trapped:/bin", "-", check=True)
    havre.docker("export", "trapped", check=True)
    havre.out("commit", "trapped", "traps:2")
    assert havre.out("diff", "trapped") == "A /f"
    havre.docker("rmi", "-f", "traps:2")


def test_memory_volumes_and_later_mounts_are_seen_while_it_runs(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("payload")
    started(havre, "seen", "echo here > /mem/t", "--tmpfs", "/mem", "-v", "cpvol:/vol")
    havre.docker("cp", str(tmp_path / "f"), "seen:/mem/in", check=True)
    havre.docker("cp", str(tmp_path / "f"), "seen:/vol/in", check=True)
    assert havre.out("exec", "seen", "cat", "/mem/in", "/vol/in", "/mem/t") == "payloadpayloadhere"
    assert b"payload" in havre.docker("cp", "seen:/vol/in", "-", check=True).stdout
    assert havre.docker("export", "seen", check=True).stdout.count(b"payload") == 0
    table = Path(f"/proc/{havre.pid}/mountinfo").read_text()
    assert "seen" not in table
    assert not any(f"{havre.data_root}/overlay2/" in line for line in table.splitlines())
    havre.docker("rm", "-f", "seen", check=True)
    havre.docker("volume", "rm", "cpvol", check=True)


def test_several_sources_and_patterns(havre: Havre, tmp_path: Path) -> None:
    started(
        havre, "many", "mkdir /logs; for n in a b c; do echo $n > /logs/$n.log; done; touch /logs/x.txt /logs/.h.log"
    )
    until_ready(havre, "many")
    target = tmp_path / "out"
    target.mkdir()
    havre.havre("cp", "many:/logs/*.log", "many:/etc/passwd", str(target), check=True)
    assert sorted(path.name for path in target.iterdir()) == ["a.log", "b.log", "c.log", "passwd"]
    refused = havre.havre("cp", "many:/logs/*.log", str(tmp_path / "file"))
    assert b"must be a directory" in refused.stderr
    assert b"Could not find" in havre.havre("cp", "many:/logs/*.none", str(target)).stderr
    havre.havre("cp", str(target / "a.log"), str(target / "b.log"), "many:/tmp", check=True)
    assert havre.out("exec", "many", "ls", "/tmp") == "a.log\nb.log"
    havre.docker("exec", "many", "ln", "-s", "/", "/logs/out", check=True)
    escaped = havre.havre("cp", f"many:/logs/out/../../../../..{tmp_path}/*", str(target))
    assert b"Could not find" in escaped.stderr


def test_our_own_command_line_keeps_dockers_rules(havre: Havre, tmp_path: Path) -> None:
    started(havre, "own", "mkdir -p /d/e; echo x > /d/e/x; ln -s /d /dl; ln /d/e/x /d/hard")
    until_ready(havre, "own")
    for source, target, there in (("/d", "new", "new/e/x"), ("/d/.", "dot", "dot/e/x"), ("/dl/", "dls", "dls/e/x")):
        havre.havre("cp", f"own:{source}", str(tmp_path / target), check=True)
        assert (tmp_path / there).read_text() == "x\n"
    assert (tmp_path / "new/hard").samefile(tmp_path / "new/e/x")
    havre.havre("cp", "-L", "own:/dl", str(tmp_path / "followed"), check=True)
    assert (tmp_path / "followed/e/x").read_text() == "x\n"
    back = havre.havre("cp", str(tmp_path / "new"), "own:/tmp/back", check=True)
    assert back.stderr == b""
    assert havre.out("exec", "own", "cat", "/tmp/back/e/x") == "x"
    stream = havre.havre("cp", "own:/d", "-", check=True).stdout
    havre.havre("cp", "-", "own:/tmp", stdin=stream, check=True)
    assert "A /tmp/d/e/x" in havre.havre("diff", "own", check=True).stdout.decode()
    havre.havre("commit", "-m", "m", "-c", "ENV Z=1", "own", "own:made", check=True)
    assert havre.out("run", "--rm", "own:made", "sh", "-c", "cat /d/e/x; echo $Z") == "x\n1"
    havre.havre("export", "-o", str(tmp_path / "x.tar"), "own", check=True)
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert "d/e/x" in archive.getnames()


def until_ready(havre: Havre, name: str) -> None:
    deadline = time.monotonic() + 30
    while "ready" not in havre.out("logs", name):
        assert time.monotonic() < deadline
