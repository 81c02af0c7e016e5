"""Volumes to archives and back, copies of volumes, other names for them."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root

MAKE = "cd /v; mkdir d; echo text >d/f; chown 12:34 d/f; chmod 4750 d/f; ln -s d/f l; ln d/f h; mkfifo p"
SHOW = "cd /v; find . | sort | xargs stat -c '%n %A %u:%g %h'; readlink l; cat d/f"


def made(havre: Havre, name: str) -> str:
    return havre.out("run", "--rm", "-v", f"{name}:/v", "busybox", "sh", "-c", f"{MAKE}; {SHOW}")


def shown(havre: Havre, name: str) -> str:
    return havre.out("run", "--rm", "-v", f"{name}:/v", "busybox", "sh", "-c", SHOW)


def test_there_and_back(havre: Havre) -> None:
    before = made(havre, "source")
    archive = havre.havre("volume", "export", "source", check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        assert {"./d/f", "./l", "./p"} <= {f"./{member.name.removeprefix('./')}" for member in members}
    assert havre.havre("volume", "import", "target", stdin=archive, check=True).stdout == b"target\n"
    assert shown(havre, "target") == before
    again = havre.havre("volume", "import", "target", stdin=archive)
    assert again.returncode == 1
    assert b"holds data already" in again.stderr
    assert shown(havre, "target") == before


def test_a_hostile_or_broken_archive_leaves_nothing(havre: Havre) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("../../escaped")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    for bad in (buffer.getvalue(), b"x" * 2000):
        refused = havre.havre("volume", "import", "broken", stdin=bad)
        assert refused.returncode == 1, refused.stdout
        assert b"broken" not in havre.docker("volume", "ls", "-q").stdout
    assert not list(havre.data_root.rglob("escaped"))


def test_clone_and_snapshot(havre: Havre) -> None:
    before = made(havre, "first")
    assert havre.havre("volume", "clone", "first", "second", check=True).stdout == b"second\n"
    snapshot = havre.havre("volume", "snapshot", "first", check=True).stdout.decode().strip()
    assert snapshot.startswith("first-2")
    havre.out("run", "--rm", "-v", "first:/v", "busybox", "rm", "-r", "/v/d")
    assert shown(havre, "second") == shown(havre, snapshot) == before
    taken = havre.havre("volume", "clone", "first", "second")
    assert b"a volume named second exists already" in taken.stderr
    assert b"get nosuch: no such volume" in havre.havre("volume", "clone", "nosuch", "x1").stderr


def test_rename(havre: Havre) -> None:
    before = made(havre, "old")
    identifier = havre.out("create", "-v", "old:/v", "busybox", "true")
    assert b"volume is in use" in havre.havre("volume", "rename", "old", "new").stderr
    havre.out("rm", identifier)
    havre.havre("volume", "rename", "old", "new", check=True)
    havre.kill()
    havre.start()
    names = havre.out("volume", "ls", "-q").split()
    assert "new" in names
    assert "old" not in names
    assert shown(havre, "new") == before
