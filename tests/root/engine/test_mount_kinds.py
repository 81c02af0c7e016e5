"""Mounts of every kind, by their effect inside the container."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre

pytestmark = pytest.mark.root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "on-host"
    made.mkdir()
    (made / "file").write_text("content\n")
    return made


def staged(havre: Havre) -> list[Path]:
    return list((havre.exec_root / "mounts").glob("*/*")) if (havre.exec_root / "mounts").exists() else []


def test_a_part_of_a_volume(havre: Havre) -> None:
    havre.out(
        "run", "--rm", "-v", "parts:/v", "busybox", "sh", "-c", "mkdir -p /v/a/b; echo deep >/v/a/b/f; ln -s / /v/l"
    )
    mount = "type=volume,src=parts,dst=/p,volume-subpath=a/b"
    assert havre.out("run", "--rm", "--mount", mount, "busybox", "sh", "-c", "ls /p; cat /p/f") == "f\ndeep"
    one = "type=volume,src=parts,dst=/p,volume-subpath=a/b/f"
    assert havre.out("run", "--rm", "--mount", one, "busybox", "cat", "/p") == "deep"
    assert staged(havre) == []


def test_a_part_of_a_volume_never_leads_out_of_it(havre: Havre) -> None:
    havre.out("run", "--rm", "-v", "links:/v", "busybox", "sh", "-c", "ln -s / /v/root; ln -s ../../../../etc /v/up")
    for subpath in ("root/etc/passwd", "up/passwd", "missing"):
        mount = f"type=volume,src=links,dst=/p,volume-subpath={subpath}"
        refused = havre.docker("run", "--rm", "--mount", mount, "busybox", "cat", "/p")
        assert refused.returncode != 0
        assert b"cannot access path" in refused.stderr
    refused = havre.docker("run", "--mount", "type=volume,src=links,dst=/p,volume-subpath=../x", "busybox", "true")
    assert b"subpath must be a relative path within the volume" in refused.stderr
    havre.remove_all()
    assert staged(havre) == []


@pytest.mark.parametrize("running", [True, False])
def test_a_copy_reaches_no_more_than_the_part_of_a_volume(havre: Havre, tmp_path: Path, *, running: bool) -> None:
    havre.out("run", "--rm", "-v", "half:/v", "busybox", "sh", "-c", "mkdir /v/a; echo mine >/v/a/f; echo no >/v/other")
    verb = ["run", "-d"] if running else ["create"]
    havre.out(
        *verb, "--name", "part", "--mount", "type=volume,src=half,dst=/p,volume-subpath=a", "busybox", "sleep", "9"
    )
    havre.out("cp", "part:/p", str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["f"]
    havre.out("cp", str(tmp_path / "out" / "f"), "part:/p/new")
    assert havre.out("run", "--rm", "-v", "half:/v", "busybox", "cat", "/v/a/new") == "mine"
    havre.remove_all()
    havre.out("volume", "rm", "half")
    assert staged(havre) == []


def test_a_copy_shows_the_ids_that_the_container_sees(havre: Havre, folder: Path) -> None:
    os.chown(folder / "file", 1000, 1000)
    havre.havre("create", "--name", "ids", "-v", f"{folder}:/b:idmap=1000:999", "busybox", "true", check=True)
    with tarfile.open(fileobj=io.BytesIO(havre.docker("cp", "ids:/b/file", "-", check=True).stdout)) as copied:
        assert [(entry.uid, entry.gid) for entry in copied] == [(999, 999)]
    havre.remove_all()


def test_the_content_of_an_image(havre: Havre) -> None:
    def run(mount: str, script: str) -> str:
        return havre.havre("run", "--rm", "--mount", mount, "busybox", "sh", "-c", script, check=True).stdout.decode()

    assert "root:" in run("type=image,src=busybox,dst=/i", "cat /i/etc/passwd; touch /i/x 2>/dev/null || echo refused")
    assert run("type=image,src=busybox,dst=/i,image-subpath=etc", "ls /i/passwd") == "/i/passwd\n"
    assert "refused" in run("type=image,src=busybox,dst=/i", "touch /i/x 2>/dev/null || echo refused")
    assert staged(havre) == []


def test_ids_of_a_folder_of_the_host_are_mapped(havre: Havre, folder: Path) -> None:
    os.chown(folder, 1000, 1000)
    os.chown(folder / "file", 1000, 1000)
    script = "stat -c %u:%g /b/file; id -u; touch /b/new && stat -c %u:%g /b/new"
    words = ["run", "--rm", "-u", "999:999", "-v", f"{folder}:/b:idmap=1000:999", "busybox", "sh", "-c", script]
    done = havre.havre(*words, check=True)
    assert done.stdout.decode().split() == ["999:999", "999", "999:999"]
    assert ((folder / "new").stat().st_uid, (folder / "new").stat().st_gid) == (1000, 1000)
    assert staged(havre) == []


def test_a_staged_mount_of_a_killed_engine_is_taken_down(havre: Havre) -> None:
    havre.out("run", "--rm", "-v", "crash:/v", "busybox", "mkdir", "/v/a")
    mount = "type=volume,src=crash,dst=/p,volume-subpath=a"
    identifier = havre.out("run", "-d", "--mount", mount, "busybox", "sleep", "600")
    assert len(staged(havre)) == 1
    havre.kill()
    havre.start()
    assert len(staged(havre)) == 1
    assert havre.docker("volume", "rm", "crash").returncode == 1
    havre.out("rm", "-f", identifier)
    assert staged(havre) == []
    havre.out("volume", "rm", "crash")


@pytest.mark.parametrize(("mode", "seen"), [("rprivate", False), ("rslave", True), ("rshared", True)])
def test_propagation_of_the_hosts_mounts(havre: Havre, folder: Path, mode: str, *, seen: bool) -> None:
    inner = folder / "inner"
    inner.mkdir()
    os.system(f"mount --bind {folder} {folder} && mount --make-shared {folder}")  # noqa: S605  a folder of the test
    try:
        identifier = havre.out("run", "-d", "-v", f"{folder}:/b:{mode}", "busybox", "sleep", "600")
        os.system(f"mount -t tmpfs none {inner} && touch {inner}/mounted")  # noqa: S605
        try:
            found = havre.docker("exec", identifier, "ls", "/b/inner").stdout == b"mounted\n"
            assert found is seen
            havre.out("rm", "-f", identifier)
        finally:
            os.system(f"umount -l {inner}")  # noqa: S605
    finally:
        os.system(f"umount -l {folder}")  # noqa: S605


@pytest.mark.reference
def test_a_mount_made_inside_reaches_the_host_only_where_that_was_asked_for(either: Engine, folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    os.system(f"mount --bind {folder} {folder} && mount --make-shared {folder}")  # noqa: S605  a folder of the test
    try:
        for mode, reached in (("rprivate", False), ("rslave", False), ("rshared", True)):
            words = ["--cap-add", "SYS_ADMIN"]
            identifier = either.out("run", "-d", *words, "-v", f"{folder}:/b:{mode}", "busybox", "sleep", "600")
            either.out("exec", identifier, "mount", "-t", "tmpfs", "none", "/b/inner")
            assert inner.is_mount() is reached, mode
            either.out("rm", "-f", identifier)
            if reached:
                os.system(f"umount -l {inner}")  # noqa: S605
    finally:
        os.system(f"umount -l {folder}")  # noqa: S605


@pytest.mark.reference
@pytest.mark.parametrize(("mode", "kind"), [("shared", "a shared"), ("rslave", "a shared or slave")])
def test_a_mount_that_passes_nothing_on_is_refused(either: Engine, folder: Path, mode: str, kind: str) -> None:
    os.system(f"mount --bind {folder} {folder} && mount --make-private {folder}")  # noqa: S605  a folder of the test
    try:
        done = either.docker("run", "--rm", "-v", f"{folder}:/b:{mode}", "busybox", "true")
        assert done.returncode == 125
        assert f"path {folder} is mounted on {folder} but it is not {kind} mount" in done.stderr.decode()
    finally:
        os.system(f"umount -l {folder}")  # noqa: S605


def test_tmpfs_size_mode_and_access(havre: Havre) -> None:
    mount = "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1700"
    fill = "dd if=/dev/zero of=/t/x bs=64k count=32 2>&1 | grep -o 'No space'"
    script = f"stat -c %a /t; grep ' /t ' /proc/self/mountinfo; {fill}"
    mode, line, full = havre.out("run", "--rm", "--mount", mount, "busybox", "sh", "-c", script).splitlines()
    assert (mode, full) == ("1700", "No space")
    assert "size=1024k" in line
    assert "nosuid,nodev,noexec" in line


def test_read_only_is_so_below_too_unless_told_otherwise(havre: Havre, folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    os.system(f"mount -t tmpfs none {inner}")  # noqa: S605  a folder of the test
    try:
        for option, refused in (("readonly", True), ("readonly,bind-recursive=writable", False)):
            mount = f"type=bind,src={folder},dst=/b,{option}"
            done = havre.docker("run", "--rm", "--mount", mount, "busybox", "touch", "/b/inner/x")
            assert (done.returncode != 0) is refused, done.stderr
        flat = f"type=bind,src={folder},dst=/b,bind-recursive=disabled"
        (inner / "y").touch()
        assert havre.out("run", "--rm", "--mount", flat, "busybox", "ls", "/b/inner") == ""
    finally:
        os.system(f"umount -l {inner}")  # noqa: S605


def test_missing_sources(havre: Havre, tmp_path: Path) -> None:
    havre.out("run", "--rm", "-v", f"{tmp_path}/made/here:/b", "busybox", "true")
    assert (tmp_path / "made" / "here").is_dir()
    refused = havre.docker("run", "--mount", f"type=bind,src={tmp_path}/nothing,dst=/b", "busybox", "true")
    assert b"bind source path does not exist" in refused.stderr
    for kind in ("npipe", "cluster"):
        refused = havre.docker("run", "--mount", f"type={kind},src=x,dst=/b", "busybox", "true")
        assert f'invalid mount config for type "{kind}": mount type unknown'.encode() in refused.stderr


def test_flags_of_a_bound_volume(havre: Havre, folder: Path) -> None:
    words = ["-o", "type=none", "-o", f"device={folder}", "-o", "o=bind,nosuid,noexec"]
    havre.out("volume", "create", *words, "bound")
    script = "grep ' /v ' /proc/self/mountinfo; cat /v/file"
    line, text = havre.out("run", "--rm", "-v", "bound:/v", "busybox", "sh", "-c", script).splitlines()
    assert "nosuid,noexec" in line
    assert text == "content"
    assert str(havre.data_root / "volumes") not in Path("/proc/self/mountinfo").read_text()
    havre.out("volume", "rm", "bound")
    assert (folder / "file").exists()
