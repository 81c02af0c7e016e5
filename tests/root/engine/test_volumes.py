"""Volumes as their users see them, with docker's command line and ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> None:
    for container in havre.out("ps", "-aq").split():
        havre.docker("rm", "-fv", container, check=True)
    havre.docker("volume", "prune", "-af", check=True)


def mounts(engine: Engine, container: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(engine.out("inspect", "-f", "{{json .Mounts}}", container))
    return found


def test_data_outlives_containers(havre: Havre) -> None:
    havre.docker("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", "echo kept > /d/f", check=True)
    assert havre.out("run", "--rm", "-v", "data:/other:ro", "busybox", "cat", "/other/f") == "kept"
    refused = havre.docker("run", "--rm", "-v", "data:/d:ro", "busybox", "touch", "/d/g")
    assert b"Read-only file system" in refused.stderr


def test_data_outlives_a_kill_of_the_engine(havre: Havre) -> None:
    havre.docker("run", "-d", "--name", "holder", "-v", "data:/d", "busybox", "sleep", "300", check=True)
    havre.docker("exec", "holder", "sh", "-c", "echo kept > /d/f", check=True)
    havre.kill()
    havre.start()
    assert havre.out("exec", "holder", "cat", "/d/f") == "kept"
    assert b"volume is in use" in havre.docker("volume", "rm", "data").stderr
    havre.docker("rm", "-f", "holder", check=True)
    assert havre.out("volume", "rm", "data") == "data"


def test_an_empty_volume_begins_with_the_images_files(havre: Havre) -> None:
    havre.docker("run", "--rm", "-v", "etc:/etc", "busybox", "true", check=True)
    assert "root:" in havre.out("run", "--rm", "-v", "etc:/x", "busybox", "cat", "/x/passwd")
    havre.docker("run", "--rm", "-v", "bare:/etc:nocopy", "busybox", "true", check=True)
    assert "passwd" not in havre.out("run", "--rm", "-v", "bare:/x", "busybox", "ls", "/x").split()


def test_anonymous_volumes_go_with_rm_and_v(havre: Havre) -> None:
    havre.docker("run", "--rm", "-v", "/a", "busybox", "true", check=True)
    assert havre.out("volume", "ls", "-q") == ""
    havre.docker("create", "--name", "one", "-v", "/a", "-v", "named:/b", "busybox", "true", check=True)
    assert len(havre.out("volume", "ls", "-q").split()) == 2
    havre.docker("rm", "one", check=True)
    assert len(havre.out("volume", "ls", "-q").split()) == 2
    havre.docker("create", "--name", "two", "-v", "/a", "-v", "named:/b", "busybox", "true", check=True)
    havre.docker("rm", "-v", "two", check=True)
    assert len(havre.out("volume", "ls", "-q").split()) == 2
    havre.docker("volume", "prune", "-f", check=True)
    assert havre.out("volume", "ls", "-q") == "named"


def test_a_creation_that_fails_leaves_no_volume(havre: Havre) -> None:
    refused = havre.docker("create", "-v", "fresh:/a", "-v", "x" * 300 + ":/b", "busybox", "true")
    assert refused.returncode
    havre.docker("create", "--name", "taken", "busybox", "true", check=True)
    assert havre.docker("create", "--name", "taken", "-v", "fresh:/a", "busybox", "true").returncode
    assert havre.out("volume", "ls", "-q") == ""


def test_volumes_from(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("bound")
    havre.docker(
        "create", "--name", "donor", "-v", "data:/d", "-v", "/a", "-v", f"{tmp_path}:/b", "busybox", "true", check=True
    )
    havre.docker("run", "--name", "heir", "--volumes-from", "donor:ro", "busybox", "cat", "/b/f", check=True)
    names = {mount.get("Name") for mount in mounts(havre, "donor")}
    assert {mount.get("Name") for mount in mounts(havre, "heir")} == names
    assert not any(mount["RW"] for mount in mounts(havre, "heir"))
    havre.docker("rm", "-v", "donor", check=True)
    assert len(havre.out("volume", "ls", "-q").split()) == 2  # the heir still holds the anonymous one


def test_a_file_system_of_its_own(havre: Havre) -> None:
    options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m,uid=7"]
    havre.docker("volume", "create", *options, "small", check=True)
    shown = havre.out("run", "--rm", "-v", "small:/s", "busybox", "sh", "-c", "stat -c %u /s; grep ' /s ' /proc/mounts")
    assert shown.startswith("7\ntmpfs /s tmpfs")
    assert "size=1024k" in shown
    assert not any(str(havre.data_root) in line for line in Path("/proc/self/mountinfo").read_text().splitlines())


def test_a_bound_folder_as_a_volume(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("bound")
    options = ["--opt", "type=none", "--opt", f"device={tmp_path}", "--opt", "o=bind"]
    havre.docker("volume", "create", *options, "bound", check=True)
    assert havre.out("run", "--rm", "-v", "bound:/s", "busybox", "cat", "/s/f") == "bound"
    havre.docker("volume", "rm", "bound", check=True)
    assert (tmp_path / "f").read_text() == "bound"


def test_both_command_lines_show_the_same(havre: Havre) -> None:
    havre.docker("volume", "create", "--label", "a=b", "one", check=True)
    for words in (
        ["ls"],
        ["ls", "-q"],
        ["inspect", "one"],
        ["ls", "--format", "{{.Name}} {{.Labels}} {{.Mountpoint}}"],
    ):
        own = havre.havre("volume", *words, check=True)
        assert own.stdout == havre.docker("volume", *words, check=True).stdout
    assert havre.havre("volume", "rm", "one", check=True).stdout == b"one\n"
    assert havre.havre("volume", "create", "two", check=True).stdout == b"two\n"
    pruned = havre.havre("volume", "prune", "-af", check=True).stdout
    assert pruned == b"Deleted Volumes:\ntwo\n\nTotal reclaimed space: 0B\n"


def test_an_anonymous_volume_that_another_mounts_by_name_is_that_ones_to_keep(either: Engine) -> None:
    either.docker("run", "--name", "first", "-v", "/data", "busybox", "true", check=True)
    name = either.out("inspect", "-f", "{{(index .Mounts 0).Name}}", "first")
    either.docker("run", "--name", "second", "-v", f"{name}:/data", "busybox", "true", check=True)
    either.docker("rm", "-v", "first", check=True)
    assert either.out("volume", "ls", "-q", "--filter", f"name={name}") == name
    either.docker("rm", "-v", "second", check=True)
    assert either.out("volume", "ls", "-q", "--filter", f"name={name}") == name
    either.docker("volume", "rm", name, check=True)
