"""Sockets with a role and a label, asked with the real client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre, running
from tests.support.hosts import Host
from tests.support.http import Api

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def havre(module_host: Host, tmp_path_factory: pytest.TempPathFactory, rootfs_tar: bytes) -> Iterator[Havre]:
    folder = tmp_path_factory.mktemp("hv")
    doors = [
        {"path": f"{folder}/read.sock", "role": "read"},
        {"path": f"{folder}/run.sock", "role": "run"},
        {"path": f"{folder}/team.sock", "role": "run", "label": "team=a"},
    ]
    (folder / "daemon.json").write_text(json.dumps({"api-sockets": doors}))
    engine = Havre(module_host, folder, ["--config-file", f"{folder}/daemon.json"])
    with running(engine):
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield engine
    assert not (folder / "read.sock").exists()


@pytest.fixture(autouse=True)
def others(havre: Havre) -> Iterator[None]:
    havre.docker("run", "-d", "--name", "other", "busybox", "sleep", "300", check=True)
    yield
    havre.remove_all()


def docker(havre: Havre, door: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**havre.environment(), "DOCKER_HOST": f"unix://{havre.folder}/{door}.sock"}
    return subprocess.run([DOCKER, *words], env=environment, capture_output=True, check=False, timeout=60)


def test_a_reader_reads(havre: Havre) -> None:
    assert docker(havre, "read", "ps", "--format", "{{.Names}}").stdout == b"other\n"
    assert docker(havre, "read", "inspect", "other").returncode == 0
    for words in (["stop", "other"], ["exec", "other", "true"], ["run", "busybox"], ["cp", "other:/etc/passwd", "-"]):
        refused = docker(havre, "read", *words)
        assert refused.returncode != 0
        assert b"this socket is for reading only" in refused.stderr, words
    assert havre.out("inspect", "-f", "{{.State.Running}}", "other") == "true"


def test_a_runner_runs_but_not_as_root_of_the_host(havre: Havre) -> None:
    done = docker(havre, "run", "run", "--rm", "-v", "named:/data", "-m", "64m", "busybox", "echo", "hi")
    assert done.stdout == b"hi\n"
    assert docker(havre, "run", "exec", "other", "echo", "hi").stdout == b"hi\n"
    for words in (
        ["run", "--privileged", "busybox"],
        ["run", "-v", "/:/host", "busybox"],
        ["run", "--mount", "type=bind,src=/,dst=/host", "busybox"],
        ["run", "--pid", "host", "busybox"],
        ["run", "--cap-add", "SYS_ADMIN", "busybox"],
        ["run", "--security-opt", "seccomp=unconfined", "busybox"],
        ["run", "--device", "/dev/loop0", "busybox"],
        ["exec", "--privileged", "other", "true"],
        ["volume", "create", "-o", "type=none", "-o", "device=/", "-o", "o=bind", "evil"],
        ["swarm", "init"],
    ):
        refused = docker(havre, "run", *words)
        assert refused.returncode != 0, words
        assert b"this socket" in refused.stderr, (words, refused.stderr)
    havre.docker("volume", "rm", "named", check=True)


@pytest.mark.parametrize(
    "given", [["--privileged"], ["-v", "/:/host"], ["--pid", "host"], ["--network", "host"], ["--cap-add", "SYS_ADMIN"]]
)
def test_a_runner_does_not_get_into_what_reaches_the_host(havre: Havre, given: list[str]) -> None:
    havre.docker("run", "-d", "--name", "strong", *given, "busybox", "sleep", "300", check=True)
    session = havre.api().post("/containers/strong/exec", {"Cmd": ["true"]}).json["Id"]
    shared = ["run", "--rm", "--network", "container:strong"]
    havre.docker("run", "-d", "--name", "behind", *shared[2:], "busybox", "sleep", "300", check=True)
    for words in (
        ["exec", "strong", "true"],
        ["cp", "strong:/etc/passwd", "-"],
        ["cp", "/etc/hostname", "strong:/tmp/x"],
        [*shared, "busybox", "true"],
        ["exec", "behind", "true"],
    ):
        refused = docker(havre, "run", *words)
        assert refused.returncode != 0, words
        assert b"is refused on this socket" in refused.stderr, (words, refused.stderr)
    api = Api(Path(f"{havre.folder}/run.sock"))
    assert api.post(f"/exec/{session}/start", {"Detach": True}).status == 403
    assert api.post("/containers/strong/attach", stdin="1").status == 403
    assert docker(havre, "run", "logs", "strong").returncode == 0
    assert docker(havre, "run", "rm", "-f", "strong").returncode == 0


def test_a_runner_builds_without_rights_of_the_host(havre: Havre, tmp_path: Path) -> None:
    run = Api(Path(f"{havre.folder}/run.sock"))
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN --security=insecure true\n")
    context = subprocess.run(["tar", "-C", tmp_path, "-c", "."], capture_output=True, check=True).stdout
    for query in ("allow=security.insecure", "networkmode=host", "cgroupparent=x", "securityopt=%5B%22a%22%5D"):
        assert run.call("POST", f"/build?{query}", context).status == 403, query
    assert b"is not allowed" in run.call("POST", "/build", context).body
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN true\n")
    context = subprocess.run(["tar", "-C", tmp_path, "-c", "."], capture_output=True, check=True).stdout
    assert b"Successfully built" in run.call("POST", "/build", context).body


def test_another_spelling_passes_no_better(havre: Havre) -> None:
    api = Api(Path(f"{havre.folder}/run.sock"))
    bodies = (
        {"Image": "busybox", "hostconfig": {"privileged": True}},
        {"Image": "busybox", "HostConfig": {"BINDS": ["/:/host"]}},
    )
    for body in bodies:
        assert api.post("/containers/create", body).status == 403
    twice = b'{"Image": "busybox", "HostConfig": {}, "hostConfig": {"Privileged": true}}'
    assert api.call("POST", "/containers/create", twice).status == 403


def test_a_team_sees_and_touches_its_own(havre: Havre) -> None:
    made = docker(havre, "team", "run", "-d", "--name", "mine", "-l", "team=b", "busybox", "sleep", "300")
    assert made.returncode == 0
    assert havre.out("inspect", "-f", '{{index .Config.Labels "team"}}', "mine") == "a"
    assert docker(havre, "team", "ps", "--format", "{{.Names}}").stdout == b"mine\n"
    assert docker(havre, "team", "exec", "mine", "echo", "hi").stdout == b"hi\n"
    for verb in ("container inspect", "stop", "logs", "top", "kill", "rm"):
        words = [*verb.split(), "other"]
        refused = docker(havre, "team", *words)
        assert refused.returncode != 0
        assert b"o such" in refused.stderr, words
    foreign = havre.api().post("/containers/other/exec", {"Cmd": ["true"]}).json["Id"]
    assert Api(Path(f"{havre.folder}/team.sock")).get(f"/exec/{foreign}/json").status == 404
    assert docker(havre, "team", "volume", "ls").returncode != 0
    assert b"refused on this socket" in docker(havre, "team", "run", "-v", "named:/x", "busybox").stderr
    assert b"refused on this socket" in docker(havre, "team", "run", "--pid", "container:other", "busybox").stderr
    docker(havre, "team", "container", "prune", "-f")
    assert sorted(havre.out("ps", "--format", "{{.Names}}").split()) == ["mine", "other"]


def test_the_sockets_are_for_their_group(havre: Havre) -> None:
    for door in ("read", "run", "team"):
        assert os.stat(f"{havre.folder}/{door}.sock").st_mode & 0o777 == 0o660
