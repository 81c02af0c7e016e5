"""diff, cp, export and commit on Havre and on the reference: the same files, the same words, the same exit codes."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre, Reference
from tests.support.terminal import on_terminal

pytestmark = [pytest.mark.root, pytest.mark.reference]

CHANGES = """
echo a > /a; mkdir -p /d/e; echo x > /d/e/x; ln -s /d /dl; ln -s d/e/x /xl; ln -s /nosuch /dang
rm /etc/group; chmod 700 /home; touch /etc/passwd; rm -r /home/alice; mkdir /home/alice; rmdir /var; echo f > /var
ln /a /hard; echo in-memory > /tt/t; echo ready; sleep 1000
"""
INTO = [
    ["ctx/f", ":/tmp/f"],
    ["ctx/f", ":/tmp/newname"],
    ["ctx", ":/tmp"],
    ["ctx/.", ":/tmp/made"],
    ["ctx/sub/", ":/tmp/slash"],
    ["ctx/f", ":/nosuch/dir/"],
    ["ctx/f", ":/nosuch/x"],
    ["ctx", ":/a"],
    ["ctx/f", ":/d"],
    ["ctx/f", ":/ro/f"],
    ["ctx/f", ":/rw/through"],
    ["ctx/f", ":/dl"],
    ["ctx/f", ":/xl"],
    ["ctx/f", ":/dang"],
    ["ctx/lnk", ":/tmp/l1"],
    ["-L", "ctx/lnk", ":/tmp/l2"],
    ["-a", "ctx/f", ":/tmp/fa"],
    ["ctx/nosuch", ":/tmp"],
    ["ctx/f/", ":/tmp"],
]
OUT_OF = [
    ["/a", "a"],
    ["/nosuch", "x"],
    ["/d", "new"],
    ["/d", "."],
    ["/d/.", "dot"],
    ["/xl", "xl"],
    ["-L", "/xl", "xL"],
    ["/dl", "dl"],
    ["/dl/", "dls"],
    ["/a", "no/"],
    ["/a", "no/y"],
    ["/ro", "ro"],
    ["/rw/f", "rw"],
    ["/etc/hostname", "hn"],
    ["/d", "a"],
    ["/dang", "dang"],
]


class World:
    """One container of each engine, and the same folder of the host for both."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.name = engine, folder, f"files-{folder.name[-6:]}"
        for part in ("ctx/sub", "ro", "rw"):
            (folder / part).mkdir(parents=True)
        for path in ("ctx/f", "ctx/sub/g", "ro/v", "rw/f"):
            (folder / path).write_text(f"{path}\n")
        (folder / "ctx/lnk").symlink_to("f")
        (folder / "ctx/dirlnk").symlink_to("sub")

    def start(self) -> None:
        mounts = ["-v", f"{self.folder}/ro:/ro:ro", "-v", f"{self.folder}/rw:/rw", "--tmpfs", "/tt", "-h", "box"]
        self.engine.out("run", "-d", "--name", self.name, *mounts, "busybox", "sh", "-c", CHANGES)
        deadline = time.monotonic() + 30
        while "ready" not in self.engine.out("logs", self.name):
            assert time.monotonic() < deadline

    def said(self, *args: str) -> tuple[int, str]:
        done = subprocess.run(
            ["docker", *args],
            env=self.engine.environment(),
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        words = (done.stdout + done.stderr).decode()
        lines = [line for line in words.splitlines() if not line.startswith("time=")]
        return done.returncode, "\n".join(lines).replace(self.name, "NAME").replace(str(self.folder), "HERE")

    def into(self, case: list[str]) -> tuple[int, str]:
        return self.said("cp", *(self.name + word if word.startswith(":") else word for word in case))

    def out_of(self, case: list[str]) -> tuple[int, str]:
        *flags, source, target = case
        return self.said("cp", *flags, f"{self.name}:{source}", f"out/{target}")

    def tree(self) -> list[tuple[object, ...]]:
        """What the whole tree holds, as its export tells it, but for mount points that only the reference makes."""
        data = self.engine.docker("export", self.name, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return sorted(
                (one.name, one.type, one.mode & 0o777, one.uid, one.gid, one.size, one.linkname)
                for one in archive
                if not one.name.startswith(("bin/", "dev/", "etc/mtab"))
            )

    def diff(self) -> list[str]:
        return sorted(self.engine.out("diff", self.name).splitlines())


@pytest.fixture(scope="module")
def worlds(
    havre: Havre, reference: Reference, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, World]]:
    made = tuple(World(engine, tmp_path_factory.mktemp("w")) for engine in (havre, reference))
    try:
        for world in made:
            world.start()
        yield made[0], made[1]
    finally:
        for world in made:
            world.engine.docker("rm", "-f", world.name)


def test_what_cp_puts_in_and_takes_out(worlds: tuple[World, World]) -> None:
    ours, theirs = worlds
    assert ours.diff() == theirs.diff()
    for case in INTO:
        assert ours.into(case) == theirs.into(case), case
    assert ours.diff() == theirs.diff()
    assert ours.tree() == theirs.tree()
    for world in worlds:
        (world.folder / "out").mkdir()
    for case in OUT_OF:
        assert ours.out_of(case) == theirs.out_of(case), case
    assert local(ours.folder / "out") == local(theirs.folder / "out")
    for world in worlds:
        world.engine.docker("stop", "-t", "0", world.name, check=True)
    assert ours.diff() == theirs.diff()
    for case in (["ctx/f", ":/tmp/stopped"], ["ctx/f", ":/ro/x"], ["ctx/f", ":/rw/stopped"]):
        assert ours.into(case) == theirs.into(case), case
    for world in worlds:
        assert (world.folder / "rw/stopped").read_text() == "ctx/f\n"
        assert world.out_of(["/rw/stopped", "again"])[0] == 0
    assert ours.tree() == theirs.tree()


def local(folder: Path) -> list[tuple[str, int, str]]:
    return sorted(
        (str(path.relative_to(folder)), path.lstat().st_mode, str(path.readlink()) if path.is_symlink() else "")
        for path in folder.rglob("*")
    )


def test_a_read_only_root_is_not_written_to(either: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    name = f"ro-{tmp_path.name[-4:]}"
    either.out("create", "--name", name, "--read-only", "-v", f"{tmp_path}:/vol", "busybox", "true")
    try:
        refused = either.docker("cp", f"{tmp_path}/f", f"{name}:/tmp")
        assert refused.returncode == 1
        assert b"container rootfs is marked read-only" in refused.stderr
        either.docker("cp", f"{tmp_path}/f", f"{name}:/vol/g", check=True)
        assert (tmp_path / "g").read_text() == "x"
    finally:
        either.docker("rm", "-f", name)


def test_streams_both_ways_and_round_trips(either: Engine, tmp_path: Path) -> None:
    name = f"rt-{tmp_path.name[-4:]}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("from-stream")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"data"))
    either.out("create", "--name", name, "-e", "A=1", "busybox", "cat", "/tmp/from-stream")
    try:
        either.docker("cp", "-", f"{name}:/tmp", stdin=buffer.getvalue(), check=True)
        back = either.docker("cp", f"{name}:/tmp/from-stream", "-", check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(back)) as archive:
            assert archive.getnames() == ["from-stream"]
        exported = either.docker("export", name, check=True).stdout
        either.docker("import", "-c", 'CMD ["cat","/tmp/from-stream"]', "-", "rt:imported", stdin=exported, check=True)
        assert either.out("run", "--rm", "rt:imported") == "data"
        either.out("commit", "-m", "words", "-c", "ENV B=2", name, "rt:committed")
        saved = either.docker("save", "rt:committed", check=True).stdout
        either.docker("rmi", "-f", "rt:committed", check=True)
        either.docker("load", stdin=saved, check=True)
        assert either.out("run", "--rm", "rt:committed") == "data"
        shown = either.out("inspect", "rt:committed", "-f", "{{.Config.Env}} {{.Comment}} {{len .RootFS.Layers}}")
        assert shown.endswith("B=2] words 2")
    finally:
        either.docker("rm", "-f", name)
        either.docker("rmi", "-f", "rt:imported", "rt:committed")


def test_the_engines_own_files_are_seen_inside_and_nowhere_else(either: Engine) -> None:
    script = "readlink /etc/mtab; cat /etc/mtab | grep -q ' / ' && echo root; stat -c '%a %u' /etc"
    assert either.out("run", "--name", "own", "busybox", "sh", "-c", script).split("\n") == [
        "/proc/mounts",
        "root",
        "755 0",
    ]
    try:
        assert either.out("diff", "own") == ""
        either.docker("commit", "own", "rt:own", check=True)
        layers = [either.out("inspect", image, "-f", "{{len .RootFS.Layers}}") for image in ("busybox", "rt:own")]
        assert either.NAME != "havred" or layers == ["1", "1"]  # the reference makes a layer of nothing
    finally:
        either.docker("rm", "-f", "own", check=True)
        either.docker("rmi", "-f", "rt:own")


def test_a_folder_that_is_mounted_on_keeps_what_was_done_to_it(either: Engine) -> None:
    either.docker("run", "--name", "mode", "busybox", "sh", "-c", "chmod 711 /etc", check=True)
    try:
        assert either.out("diff", "mode") == "C /etc"
        either.docker("commit", "mode", "rt:mode", check=True)
        assert either.out("run", "--rm", "rt:mode", "stat", "-c", "%a", "/etc") == "711"
    finally:
        either.docker("rm", "-f", "mode", check=True)
        either.docker("rmi", "-f", "rt:mode")


def test_an_archive_is_not_written_to_a_terminal(havre: Havre) -> None:
    havre.out("create", "--name", "tty", "busybox", "true")
    for line in (["docker", "export", "tty"], [*havre_line(), "export", "tty"]):
        with on_terminal(line, havre.environment()) as terminal:
            assert terminal.wait() == 1
        assert b"cowardly refusing to save to a terminal" in terminal.shown
    havre.out("rm", "tty")


def havre_line() -> list[str]:
    from tests.support.engines import PYTHON

    return [PYTHON, "-m", "havre.cli.main"]
