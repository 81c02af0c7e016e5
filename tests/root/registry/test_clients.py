"""Other people's clients push to and pull from our registry: docker with Debian's dockerd, skopeo, buildah, Podman."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import Host
from tests.support.oci_images import digest, image, index, write_layout
from tests.support.registries import DockerRegistry, HavreRegistry, htpasswd, run
from tests.support.registries import running as running_registry

ADDRESS = "198.51.100.7"
USERS = {"alice": "secret-a"}


class Here(HavreRegistry):
    """A registry in a test host, at an address that is not loopback."""

    def __init__(self, folder: Path, config: Mapping[str, object], host: Host, address: str) -> None:
        super().__init__(folder, config, host)
        self.address = address


@dataclass(frozen=True)
class World:
    """A host with a dockerd, a registry on loopback that is open, and one with TLS and users beyond it."""

    host: Host
    docker: Reference
    havre: Havre
    plain: HavreRegistry
    secure: HavreRegistry
    authority: Path
    folder: Path

    def run(self, *line: str, check: bool = True) -> str:
        return run(line, self.folder, host=self.host, check=check)

    def dock(self, *words: str, check: bool = True) -> str:
        return self.on(self.docker, *words, check=check)

    def on(self, engine: Engine, *words: str, check: bool = True) -> str:
        """The docker command on *engine*."""
        return self.run("docker", "-H", f"unix://{engine.socket}", *words, check=check)


@pytest.fixture(scope="module")
def world(module_host: Host, tmp_path_factory: pytest.TempPathFactory, rootfs_tar: bytes) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("clients")
    (folder / "docker").mkdir()
    (folder / "docker" / "config.json").write_text("{}")  # Podman wants it to be there
    module_host.run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    authority = Authority(folder / "authority")
    certificate, key = authority.issue_address(ADDRESS)
    secured = {
        "http": {"tls": {"certificate": str(certificate), "key": str(key)}},
        "auth": {"htpasswd": {"path": str(htpasswd(folder / "users", USERS))}},
        "access": [
            {"repositories": "alice/webserv", "anonymous": ["pull"], "users": {"alice": ["*"]}},
            {"repositories": "public/*", "anonymous": ["pull"], "users": {"*": ["*"]}},
            {"repositories": "{user}/*", "users": {"*": ["*"]}},
        ],
    }
    plain, secure = (
        Here(folder / "plain", {}, module_host, "127.0.0.1"),
        Here(folder / "tls", secured, module_host, ADDRESS),
    )
    docker, havre = Reference(module_host, folder / "dockerd"), Havre(module_host, folder / "havred")
    plain.start()
    try:
        secure.start()
        certs = Path("/etc/docker/certs.d") / secure.domain
        certs.mkdir(parents=True)
        (certs / "ca.crt").write_bytes(authority.certificate.read_bytes())
        try:
            with running(docker), running(havre):
                for engine in (docker, havre):
                    engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
                yield World(module_host, docker, havre, plain, secure, authority.certificate, folder)
        finally:
            (certs / "ca.crt").unlink()
            certs.rmdir()
            with suppress(OSError):  # someone else's certificates lie there too
                certs.parent.rmdir()
    finally:
        secure.stop()
        plain.stop()


def test_docker_pushes_and_pulls(world: World) -> None:
    name = f"{world.plain.domain}/course/app"
    world.dock("tag", "busybox", f"{name}:1")
    world.dock("tag", "busybox", f"{name}:2")
    pushed = world.dock("push", "-a", name)
    assert pushed.count("digest: sha256:") == 2
    known = json.loads(world.dock("inspect", "-f", "{{json .RepoDigests}}", f"{name}:1"))
    by_digest = next(each for each in known if each.startswith(f"{name}@"))
    identity = world.dock("inspect", "-f", "{{.Id}}", f"{name}:1")
    world.dock("rmi", f"{name}:1", f"{name}:2", "busybox")
    try:
        world.dock("pull", by_digest)
        world.dock("pull", "-a", name)
        assert world.dock("inspect", "-f", "{{.Id}}", f"{name}:2") == identity
        assert (
            world.dock("run", "--rm", "--net", "none", f"{name}:1", "echo", "from the registry")
            == "from the registry\n"
        )
    finally:
        world.dock("tag", by_digest, "busybox")
    assert "Layer already exists" in world.dock("push", f"{name}:1")
    world.dock("tag", "busybox", f"{world.plain.domain}/course/other:1")
    assert "Mounted from course/app" in world.dock("push", f"{world.plain.domain}/course/other:1")


def test_docker_searches(world: World) -> None:
    name = f"{world.plain.domain}/find/needle"
    world.dock("tag", "busybox", name)
    world.dock("push", name)
    found = world.dock("search", "--format", "{{.Name}}", f"{world.plain.domain}/needle")
    assert found == "find/needle\n"


def test_docker_logs_in_and_out_over_tls(world: World) -> None:
    domain = world.secure.domain
    mine, public = f"{domain}/alice/app:1", f"{domain}/public/app:1"
    for name in (mine, public):
        world.dock("tag", "busybox", name)
    assert "denied" in world.dock("push", mine, check=False) or "unauthorized" in world.dock("push", mine, check=False)
    assert "incorrect username or password" in world.dock("login", "-u", "alice", "-p", "wrong", domain, check=False)
    assert "Login Succeeded" in world.dock("login", "-u", "alice", "-p", USERS["alice"], domain)
    for name in (mine, public):
        assert "digest: sha256:" in world.dock("push", name)
    refused = world.dock("push", f"{domain}/bob/app:1", check=False)
    assert "digest" not in refused
    world.dock("tag", "busybox", f"{domain}/bob/app:1")
    assert "denied" in world.dock("push", f"{domain}/bob/app:1", check=False)
    world.dock("rmi", mine, public)
    assert "Downloaded newer image" in world.dock("pull", mine)
    world.dock("logout", domain)
    world.dock("rmi", mine)
    assert "denied" in world.dock("pull", mine, check=False)
    world.dock("pull", public)


@pytest.mark.parametrize("kind", ["docker", "havre"])
def test_passwords_alone(world: World, kind: str, tmp_path: Path) -> None:
    """Without public repositories the registry asks for HTTP Basic."""
    engine = world.havre if kind == "havre" else world.docker
    settings = {"auth": {"htpasswd": {"path": str(world.folder / "users")}}}
    with running_registry(Here(tmp_path / "basic", settings, world.host, "127.0.0.1")) as registry:
        name = f"{registry.domain}/any/app:1"
        world.on(engine, "tag", "busybox", name)
        assert "no basic auth credentials" in world.on(engine, "push", name, check=False)
        world.on(engine, "login", "-u", "alice", "-p", USERS["alice"], registry.domain)
        sent = digest_in(world.on(engine, "push", name))
        world.on(engine, "rmi", name)
        assert digest_in(world.on(engine, "pull", name)) == sent
        world.on(engine, "logout", registry.domain)
        assert "no basic auth credentials" in world.on(engine, "pull", name, check=False)
        world.on(engine, "rmi", name)


@pytest.mark.parametrize("kind", ["docker", "havre"])
def test_the_exercise_of_the_course(world: World, kind: str) -> None:
    """An account, a public repository, a small web server pushed to it, found there, and used by someone else."""
    engine = world.havre if kind == "havre" else world.docker
    name = f"{world.secure.domain}/alice/webserv:1.0"
    page = "mkdir /www && echo PONG > /www/ping"
    world.on(engine, "run", "--name", "making", "--net", "none", "busybox", "sh", "-c", page)
    world.on(engine, "commit", "-c", 'CMD ["httpd", "-f", "-p", "80", "-h", "/www"]', "making", "webserv")
    world.on(engine, "rm", "making")
    world.on(engine, "login", "-u", "alice", "-p", USERS["alice"], world.secure.domain)
    world.on(engine, "image", "tag", "webserv", name)
    world.on(engine, "image", "push", name)
    world.on(engine, "logout", world.secure.domain)
    world.on(engine, "image", "rm", name, "webserv")
    world.on(engine, "image", "pull", name)
    world.on(engine, "run", "-d", "--name", "webserv", "--net", "none", name)
    try:
        got, deadline = "", time.monotonic() + 30
        while got != "PONG\n":
            assert time.monotonic() < deadline, got
            got = world.on(engine, "exec", "webserv", "wget", "-qO-", "http://127.0.0.1/ping", check=False)
    finally:
        world.on(engine, "rm", "-f", "webserv")


def test_images_travel_with_their_digests(world: World, tmp_path: Path) -> None:
    """docker → our registry → Havre → Debian's registry → docker."""
    debian = DockerRegistry(tmp_path / "debian", host=world.host)
    with running_registry(debian):
        first, second = f"{world.plain.domain}/travel/app:1", f"{debian.domain}/travel/app:1"
        world.dock("tag", "busybox", first)
        sent = digest_in(world.dock("push", first))
        assert digest_in(world.on(world.havre, "pull", first)) == sent
        world.on(world.havre, "tag", first, second)
        assert digest_in(world.on(world.havre, "push", second)) == sent
        assert digest_in(world.dock("pull", second)) == sent


def digest_in(text: str) -> str:
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", text, re.IGNORECASE)
    assert found is not None, text
    return found[1]


def test_havre_searches(world: World) -> None:
    name = f"{world.plain.domain}/find/thread"
    world.on(world.havre, "tag", "busybox", name)
    world.on(world.havre, "push", name)
    found = world.on(world.havre, "search", "--format", "{{.Name}}", f"{world.plain.domain}/thread")
    assert found.split() == ["find/thread"]


def test_docker_makes_a_manifest_list(world: World) -> None:
    name = f"{world.plain.domain}/list/app"
    world.dock("tag", "busybox", f"{name}:amd64")
    world.dock("push", f"{name}:amd64")
    world.dock("manifest", "create", "--insecure", f"{name}:all", f"{name}:amd64")
    world.dock("manifest", "annotate", f"{name}:all", f"{name}:amd64", "--arch", "amd64")
    pushed = world.dock("manifest", "push", "--insecure", f"{name}:all").strip()
    shown = json.loads(world.dock("manifest", "inspect", "--insecure", f"{name}:all"))
    assert shown["manifests"][0]["platform"]["architecture"] == "amd64"
    assert pushed.startswith("sha256:")
    world.dock("pull", f"{name}:all")


def test_skopeo_copies_every_kind(world: World, tmp_path: Path) -> None:
    made = image(2, 100_000)
    layout = write_layout(tmp_path / "layout", made, "v1")
    certs = tmp_path / "certs"
    certs.mkdir()
    (certs / "ca.crt").write_bytes(world.authority.read_bytes())
    credentials = f"alice:{USERS['alice']}"
    target = f"docker://{world.secure.domain}/alice/copied:v1"
    world.run("skopeo", "copy", "--dest-cert-dir", str(certs), "--dest-creds", credentials, f"oci:{layout}:v1", target)
    look = ("--cert-dir", str(certs), "--creds", credentials)
    assert json.loads(world.run("skopeo", "inspect", *look, target))["Digest"] == made.digest
    assert world.run("skopeo", "inspect", "--raw", *look, target).encode() == made.manifest
    assert json.loads(world.run("skopeo", "list-tags", *look, target.removesuffix(":v1")))["Tags"] == ["v1"]
    world.run("skopeo", "copy", "--src-cert-dir", str(certs), "--src-creds", credentials, target, f"dir:{tmp_path}/out")
    for data in made.blobs:
        assert (tmp_path / "out" / digest(data).partition(":")[2]).read_bytes() == data
    world.run("skopeo", "delete", *look, target)
    assert "manifest unknown" in world.run("skopeo", "inspect", *look, target, check=False)


def test_skopeo_copies_an_index_with_all_images(world: World, tmp_path: Path) -> None:
    images = [image(1, 5_000), image(1, 5_000)]
    both = index(*images)
    both.blobs = [each.manifest for each in images] + [data for each in images for data in each.blobs]
    layout = write_layout(tmp_path / "layout", both, "v1")
    target = f"docker://{world.plain.domain}/copied/index:v1"
    world.run("skopeo", "copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:v1", target)
    again = target.replace("copied", "again")
    world.run("skopeo", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", target, again)
    assert world.run("skopeo", "inspect", "--raw", "--tls-verify=false", again).encode() == both.manifest
    for kind in ("zstd", "gzip"):
        packed = target.replace("index:v1", f"packed:{kind}")
        line = ("skopeo", "copy", "--dest-compress-format", kind, "--dest-tls-verify=false", "--format", "oci")
        world.run(*line, f"oci:{layout}:v1", packed)
    world.run(
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        "--format",
        "v2s2",
        f"oci:{layout}:v1",
        target.replace("v1", "docker"),
    )


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name that Podman finds short enough."""
    with tempfile.TemporaryDirectory(prefix="hv-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah(world: World, program: str, tmp_path: Path, short: Path) -> None:
    storage = ("--root", str(tmp_path / "root"), "--runroot", str(short), "--storage-driver", "vfs")
    layout = write_layout(tmp_path / "layout", image(2, 50_000), "v1")
    name = f"{world.plain.domain}/{program}/app:v1"
    world.run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{name}")
    world.run(program, *storage, "pull", "--tls-verify=false", name)
    other = name.replace("app", "other")
    world.run(program, *storage, "tag", name, other)
    world.run(program, *storage, "push", "--tls-verify=false", other)
    pushed = json.loads(world.run("skopeo", "inspect", "--tls-verify=false", f"docker://{other}"))
    assert len(pushed["Layers"]) == 2
    credentials = ("--username", "alice", "--password", USERS["alice"])
    certs = tmp_path / "certs"
    certs.mkdir()
    (certs / "ca.crt").write_bytes(world.authority.read_bytes())
    world.run(program, "login", *credentials, "--cert-dir", str(certs), world.secure.domain)
    mine = f"{world.secure.domain}/alice/{program}:v1"
    world.run(program, *storage, "tag", name, mine)
    world.run(program, *storage, "push", "--cert-dir", str(certs), mine)
    world.run(program, *storage, "rmi", mine)
    world.run(program, *storage, "pull", "--cert-dir", str(certs), mine)
    world.run(program, "logout", world.secure.domain)
    if program == "podman":
        found = world.run(
            program, "search", "--tls-verify=false", "--format", "{{.Name}}", f"{world.plain.domain}/podman"
        )
        assert f"{world.plain.domain}/podman/app" in found.split()


def test_a_mirror_for_docker(world: World, rootfs_tar: bytes, tmp_path: Path) -> None:
    """What `registry-mirrors` names is a cache; its upstream is a registry with Docker Hub's names."""
    world.dock("tag", "busybox", f"{world.plain.domain}/library/mirrored:1")
    world.dock("push", f"{world.plain.domain}/library/mirrored:1")
    settings = {"proxy": {"remoteurl": f"http://{world.plain.domain}"}}
    mirror = Here(tmp_path / "mirror", settings, world.host, "127.0.0.1")
    with running_registry(mirror):
        docker = Reference(
            world.host, tmp_path / "dockerd", ["--registry-mirror", f"http://{mirror.domain}", "--bridge", "none"]
        )
        with running(docker):
            assert "Downloaded newer image for mirrored:1" in docker.out("pull", "mirrored:1")
            identity = docker.out("inspect", "-f", "{{.Id}}", "mirrored:1")
        assert identity == world.dock("inspect", "-f", "{{.Id}}", "busybox").strip()
        assert "library/mirrored" in mirror.log.read_text()


def test_nothing_failed_inside(world: World) -> None:
    for registry in (world.plain, world.secure):
        assert "level=error" not in registry.log.read_text()
        assert os.listdir(registry.root / "content" / "ingest") == []
