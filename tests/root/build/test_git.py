"""Git repositories as contexts and as sources of ADD, from a git daemon and from a plain web server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host, wait_listening

pytestmark = pytest.mark.root

DOCKERFILE = "FROM busybox\nCOPY . /all\nRUN ls -A /all > /names\n"


@dataclass(frozen=True)
class Served:
    git: str
    web: str
    first: str
    """The commit before the last one."""


def git(folder: Path, *arguments: str) -> str:
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "protocol.file.allow=always"]
    return subprocess.run([*words, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make_repository(folder: Path) -> str:
    """The first of two commits of `r.git` below *folder*; `other.git` is its submodule."""
    other, work = folder / "other", folder / "work"
    for place in (other, work):
        place.mkdir()
        git(place, "init", "-q", "-b", "trunk")
    (other / "inner").write_text("inner")
    git(other, "add", ".")
    git(other, "commit", "-qm", "other")
    git(folder, "clone", "-q", "--bare", "other", "other.git")
    (work / "sub").mkdir()
    (work / "sub" / "Dockerfile").write_text(DOCKERFILE)
    (work / "Dockerfile").write_text(DOCKERFILE)
    (work / "sub" / "f").write_text("one")
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    (work / "out").symlink_to("/etc")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(work, "tag", "-m", "one", "v1")
    first = git(work, "rev-parse", "HEAD")
    git(work, "submodule", "add", "-q", str(folder / "other.git"), "module")
    git(work, "config", "-f", ".gitmodules", "submodule.module.url", "../other.git")
    (work / "sub" / "f").write_text("two")
    git(work, "add", ".")
    git(work, "commit", "-qm", "two")
    git(work, "checkout", "-q", "-b", "evil")
    git(work, "config", "-f", ".gitmodules", "submodule.module.url", str(folder / "other.git"))
    git(work, "commit", "-qam", "evil")
    git(work, "checkout", "-q", "trunk")
    git(folder, "clone", "-q", "--bare", "work", "r.git")
    for bare in ("r.git", "other.git"):
        git(folder / bare, "update-server-info")
    return first


@pytest.fixture(scope="module")
def served(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("git")
    first = make_repository(folder)
    daemon = module_host.enter(
        *("git", "daemon", "--listen=127.0.0.1", "--port=9418", "--reuseaddr", "--export-all"),
        f"--base-path={folder}",
    )
    web = module_host.enter(sys.executable, "-m", "http.server", "8319", "--bind", "127.0.0.1", "-d", str(folder))
    servers = [subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for line in (daemon, web)]
    try:
        for port in (9418, 8319):
            wait_listening(module_host, port)
        yield Served("git://127.0.0.1/r.git", "http://127.0.0.1:8319/r.git", first)
    finally:
        for server in servers:
            server.terminate()
            server.wait()


def inside(havre: Havre, image: str, *command: str) -> str:
    return havre.out("run", "--rm", "--network", "none", image, *command)


def build(havre: Havre, text: str, *flags: str, code: int = 0) -> str:
    done = havre.havre("build", "-t", "made", *flags, "-", stdin=text.encode())
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == code, said
    return said


@pytest.mark.parametrize(
    ("what", "content"),
    [("", "two"), ("#trunk", "two"), ("#v1", "one"), ("#{first}", "one"), ("?tag=v1", "one"), ("#refs/tags/v1", "one")],
)
@pytest.mark.parametrize("kind", ["git", "web"])
def test_add_of_a_commit(havre: Havre, served: Served, kind: str, what: str, content: str) -> None:
    source = getattr(served, kind) + what.format(first=served.first)
    build(havre, f"FROM busybox\nADD {source} /src\n")
    assert inside(havre, "made", "cat", "/src/sub/f") == content
    assert inside(havre, "made", "stat", "-c", "%a %u %g %n", "/src/run.sh", "/src/sub/f").split("\n") == [
        "755 0 0 /src/run.sh",
        "644 0 0 /src/sub/f",
    ]
    assert ".git" not in inside(havre, "made", "ls", "-A", "/src").split()


def test_add_of_a_folder_and_its_neighbours(havre: Havre, served: Served) -> None:
    build(havre, f"FROM busybox\nADD --chown=5:6 {served.git}#trunk:sub {served.web}#v1:sub /d/\n")
    assert inside(havre, "made", "stat", "-c", "%u:%g %n", "/d/f") == "5:6 /d/f"
    assert inside(havre, "made", "ls", "-A", "/d").split() == ["Dockerfile", "f"]


def test_submodules_come_along(havre: Havre, served: Served) -> None:
    build(havre, f"FROM busybox\nADD {served.git} /src\nADD {served.git}?submodules=false /bare\n")
    assert inside(havre, "made", "ls", "-A", "/src/module", "/bare/module").split() == [
        "/bare/module:", "/src/module:", "inner",
    ]  # fmt: skip


def test_a_submodule_is_no_way_into_the_engine_s_machine(havre: Havre, served: Served) -> None:
    said = build(havre, f"FROM busybox\nADD {served.git}#evil /src\n", code=1)
    assert "transport 'file' not allowed" in said
    answer = havre.api().post("/build", None, remote=f"{served.git}#evil")
    assert b"transport 'file' not allowed" in answer.body


def test_the_git_folder_is_kept_where_that_is_asked_for(havre: Havre, served: Served) -> None:
    text = f"FROM busybox\nADD --keep-git-dir=true {served.git}#trunk /src\nRUN cat /proc/uptime > /stamp\n"
    build(havre, text)
    assert inside(havre, "made", "test", "-f", "/src/.git/HEAD") == ""
    stamp = inside(havre, "made", "cat", "/stamp")
    build(havre, text)
    assert inside(havre, "made", "cat", "/stamp") == stamp, "each clone differs, the commit does not"


def test_a_checksum_is_the_commit(havre: Havre, served: Served) -> None:
    build(havre, f"FROM busybox\nADD --checksum={served.first} {served.git}#v1 /src\n")
    said = build(havre, f"FROM busybox\nADD --checksum={served.first} {served.git}#trunk /src\n", code=1)
    assert "expected checksum to match" in said


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("git://127.0.0.1/r.git#nothing", "couldn't find remote ref nothing"),
        ("git://127.0.0.1/none.git", "access denied or repository not exported"),
        ("git://127.0.0.1/r.git#trunk:none", "file not found"),
        ("git://127.0.0.1/r.git#--upload-pack=x", "invalid git reference"),
        ("git://127.0.0.1/r.git#" + "0" * 40, "no commit 0000"),
    ],
)
def test_what_is_not_there(havre: Havre, served: Served, source: str, reason: str) -> None:
    assert served.git
    assert reason in build(havre, f"FROM busybox\nADD {source} /src\n", code=1)


@pytest.mark.parametrize("what", ["", "#v1:sub"])
def test_a_repository_as_the_whole_context(havre: Havre, served: Served, what: str) -> None:
    names = {"": [".gitmodules", "Dockerfile", "module", "out", "run.sh", "sub"], "#v1:sub": ["Dockerfile", "f"]}
    for remote in (served.git + what, served.web + what):
        answer = havre.api().post("/build", None, remote=remote, t="whole")
        assert b"Successfully tagged" in answer.body, answer.body
        assert inside(havre, "whole", "cat", "/names").split() == names[what]


def test_a_folder_does_not_lead_out_of_the_repository(havre: Havre, served: Served) -> None:
    answer = havre.api().post("/build", None, remote=f"{served.git}#trunk:out")
    assert b"no such file or directory" in answer.body, "/etc of the repository, not of the engine's machine"


def test_a_named_context(havre: Havre, served: Served) -> None:
    contexts = [f"--build-context=more={served.git}#v1:sub", f"--build-context=unused={served.git}#nothing"]
    build(havre, "FROM busybox\nCOPY --from=more f /f\n", *contexts)
    assert inside(havre, "made", "cat", "/f") == "one"


class Gitless(Havre):
    def command(self) -> list[str]:
        return ["env", "PATH=/nonexistent", *super().command()]


def test_without_git(module_host: Host, tmp_path: Path) -> None:
    with running(Gitless(module_host, tmp_path / "hv")) as engine:
        answer = engine.api().post("/build", None, remote="git://127.0.0.1/r.git")
    assert b"needs the program git, which is not installed" in answer.body
