"""Pull, push, login and what comes with them, by docker and by havre, against Debian's docker-registry."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_registry import PASSWORD, USER, Registry, passwords
from tests.support.debian_registry import running as serving
from tests.support.engines import Engine, Havre, Reference, run_client
from tests.support.hosts import Host

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def closed(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("closed")
    with serving(Registry(module_host, folder, 5001, passwords(folder))) as registry:
        yield registry


def digest_of(text: str) -> str:
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", text, re.IGNORECASE)
    assert found, text
    return found.group(1)


def forget(engine: Engine, *names: str) -> None:
    engine.docker("rmi", "-f", *names)


def test_a_round_trip(havre: Havre, plain: Registry, rootfs_tar: bytes) -> None:
    name = f"{plain.name}/trip/one:1"
    havre.docker("import", "-c", "LABEL trip=1", "-", name, stdin=rootfs_tar, check=True)
    image = havre.out("inspect", "-f", "{{.Id}}", name)
    pushed = havre.out("push", name)
    assert f"The push refers to repository [{plain.name}/trip/one]" in pushed
    assert re.search("Pushed|Mounted from", pushed)
    forget(havre, name)
    pulled = havre.out("pull", name)
    assert digest_of(pulled) == digest_of(pushed)
    assert f"Status: Downloaded newer image for {name}" in pulled
    assert havre.out("inspect", "-f", "{{.Id}}", name) == image
    assert f"Status: Image is up to date for {name}" in havre.out("pull", name)
    assert "Layer already exists" in havre.out("push", name)
    assert havre.out("run", "--rm", "--network", "none", name, "echo", "it runs") == "it runs"


def test_by_digest_and_every_tag(havre: Havre, plain: Registry) -> None:
    repository = f"{plain.name}/many"
    for tag in ("1", "2", "3"):
        havre.out("tag", "busybox", f"{repository}:{tag}")
    digest = digest_of(havre.out("push", "-a", repository))
    forget(havre, *(f"{repository}:{tag}" for tag in "123"), f"{repository}@{digest}")
    havre.out("pull", "-a", repository)
    assert sorted(havre.out("images", "--format", "{{.Tag}}", repository).split()) == ["1", "2", "3"]
    forget(havre, *(f"{repository}:{tag}" for tag in "123"), f"{repository}@{digest}")
    havre.out("pull", f"{repository}@{digest}")
    assert havre.out("images", "--digests", "--format", "{{.Tag}} {{.Digest}}", repository) == f"<none> {digest}"


def test_layers_of_a_neighbour_are_mounted(havre: Havre, plain: Registry) -> None:
    havre.out("tag", "busybox", f"{plain.name}/from/here:1")
    havre.out("tag", "busybox", f"{plain.name}/to/there:1")
    havre.out("push", f"{plain.name}/from/here:1")
    assert "Mounted from " in havre.out("push", f"{plain.name}/to/there:1")


def test_an_image_travels_and_keeps_its_digest(
    havre: Havre, other: Reference, plain: Registry, rootfs_tar: bytes
) -> None:
    """Docker, then Havre, then Docker again, through two repositories."""
    first, second = f"{plain.name}/travel/a:1", f"{plain.name}/travel/b:1"
    other.docker("import", "-c", "CMD echo", "-", first, stdin=rootfs_tar, check=True)
    image = other.out("inspect", "-f", "{{.Id}}", first)
    digest = digest_of(other.out("push", first))
    assert digest_of(havre.out("pull", first)) == digest
    havre.out("tag", first, second)
    assert digest_of(havre.out("push", second)) == digest
    forget(other, first)
    assert digest_of(other.out("pull", second)) == digest
    assert other.out("inspect", "-f", "{{.Id}}", second) == image


@pytest.mark.parametrize(
    "line",
    [
        ["pull", "{}/no/such"],
        ["pull", "{}/no/such:tag"],
        ["pull", "{}/no/such@sha256:" + "0" * 64],
        ["push", "{}/no/such"],
        ["push", "{}/odd:nosuch"],
        ["push", "{}/odd@sha256:" + "0" * 64],
        ["pull", "localhost:5999/x"],
        ["pull", "-a", "{}/no/such"],
        ["search", "{}/x"],
    ],
    ids=" ".join,
)
def test_failures_are_told_as_docker_tells_them(
    havre: Havre, other: Reference, plain: Registry, rootfs_tar: bytes, line: list[str]
) -> None:
    for engine in (havre, other):
        engine.docker("import", "-", f"{plain.name}/odd:1", stdin=rootfs_tar, check=True)
    words = [word.format(plain.name) for word in line]
    ours, theirs = havre.docker(*words), other.docker(*words)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr.decode().replace("tcp localhost:", "tcp 127.0.0.1:") == theirs.stderr.decode()


@pytest.mark.parametrize("program", ["docker", "havre"])
def test_passwords(havre: Havre, closed: Registry, program: str, tmp_path: Path) -> None:
    """Nobody, the wrong one, the right one; and the right one is forgotten again."""
    name = f"{closed.name}/secret/{program}:1"
    environment = {**havre.environment(), "DOCKER_CONFIG": str(tmp_path)}
    start = ["docker"] if program == "docker" else havre_words()

    def run(*words: str, stdin: bytes = b"") -> tuple[int, str]:
        done = run_client([*start, *words], environment, check=False, stdin=stdin, timeout_s=60)
        return done.returncode, (done.stdout + done.stderr).decode()

    havre.out("tag", "busybox", name)
    code, said = run("push", name)
    assert (code, "no basic auth credentials" in said) == (1, True), said
    code, said = run("login", "-u", USER, "--password-stdin", closed.name, stdin=b"wrong")
    assert (code, "401 Unauthorized" in said) == (1, True), said
    code, said = run("login", "-u", USER, "--password-stdin", closed.name, stdin=PASSWORD.encode())
    assert (code, "Login Succeeded" in said) == (0, True), said
    config = tmp_path / "config.json"
    assert list(json.loads(config.read_text())["auths"]) == [closed.name]
    assert config.stat().st_mode & 0o777 == 0o600
    code, said = run("push", name)
    assert code == 0, said
    forget(havre, name)
    assert run("pull", name)[0] == 0
    assert run("logout", closed.name)[0] == 0
    assert json.loads(config.read_text())["auths"] == {}
    assert run("pull", name)[0] == 1
    assert PASSWORD not in havre.log.read_text()


def test_run_pulls_what_is_missing(havre: Havre, plain: Registry) -> None:
    name = f"{plain.name}/run/me:1"
    havre.out("tag", "busybox", name)
    havre.out("push", name)
    for start in (havre.docker, havre.havre):
        forget(havre, name)
        done = start("run", "--rm", "--network", "none", name, "echo", "here")
        assert done.stdout == b"here\n"
        assert f"Unable to find image '{name}' locally" in done.stderr.decode()


def test_what_a_name_means(havre: Havre, plain: Registry) -> None:
    name = f"{plain.name}/means:1"
    havre.out("tag", "busybox", name)
    digest = digest_of(havre.out("push", name))
    answer = havre.api("1.44").get(f"/distribution/{name}/json").json
    assert answer["Descriptor"]["digest"] == digest
    assert answer["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
    assert havre.api().get(f"/distribution/{plain.name}/nosuch/json").status == 404


def test_skopeo_and_buildah_bring_and_take(havre: Havre, plain: Registry, tmp_path: Path) -> None:
    name = f"{plain.name}/tools/one:1"
    havre.out("tag", "busybox", name)
    havre.out("push", name)
    copy = f"{plain.name}/tools/two:1"
    for to_format in ("oci", "v2s2"):
        havre.host.run(
            *("skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", f"--format={to_format}"),
            *("--dest-compress-format=zstd", f"docker://{name}", f"docker://{copy}"),
        )
        forget(havre, copy)
        havre.out("pull", copy)
        assert havre.out("run", "--rm", "--network", "none", copy, "cat", "/etc/passwd").startswith("root:")
    root = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    havre.host.run("buildah", *root, "pull", "--tls-verify=false", name)
    made = havre.host.run("buildah", *root, "from", "--pull-never", name).stdout.strip()
    havre.host.run("buildah", *root, "config", "--label", "by=buildah", made)
    havre.host.run("buildah", *root, "commit", "--tls-verify=false", made, f"docker://{plain.name}/tools/built:1")
    havre.out("pull", f"{plain.name}/tools/built:1")
    assert havre.out("inspect", "-f", "{{.Config.Labels.by}}", f"{plain.name}/tools/built:1") == "buildah"


def test_images_of_many_repositories_are_collected(havre: Havre, plain: Registry, rootfs_tar: bytes) -> None:
    names = [f"{plain.name}/old/{part}:1" for part in "abc"]
    havre.docker("import", "-c", "LABEL old=yes", "-", names[0], stdin=rootfs_tar, check=True)
    for name in names:
        havre.docker("tag", names[0], name, check=True)
        havre.out("push", name)
    image = havre.out("inspect", "-f", "{{.Id}}", names[0])
    keep = ["image", "prune", "-f", "--keep-days"]
    assert image not in havre.havre(*keep, "1", check=True).stdout.decode()
    told = havre.havre(*keep, "0", "--dry-run", check=True).stdout.decode()
    assert f"deleted: {image}" in told
    assert havre.out("inspect", "-f", "{{.Id}}", names[2]) == image
    container = havre.out("create", "busybox", "true")
    try:
        havre.havre(*keep, "0", check=True)
        assert havre.docker("inspect", image).returncode == 1
        assert havre.docker("inspect", "busybox").returncode == 0
    finally:
        havre.docker("rm", "-f", container)


def test_what_takes_how_much_in_detail(havre: Havre, plain: Registry) -> None:
    havre.out("tag", "busybox", f"{plain.name}/sized:1")
    container = havre.out(
        "create", "-v", "sized:/x", "-v", "/tmp:/y", "--name", "sized", "busybox", "sleep", "1000000000"
    )
    try:
        told = [start("system", "df", "-v", check=True).stdout.decode() for start in (havre.docker, havre.havre)]
        ages = re.compile(
            r"(Less than a|About an?|[0-9]+) \w+ ago"
        )  # which may have passed on, with their column's width
        theirs, ours = (re.sub(" +", " ", ages.sub("", one)) for one in told)
        assert ours == theirs
    finally:
        havre.docker("rm", "-f", container)
        havre.docker("volume", "rm", "sized")


def test_manifest_lists_are_made_as_docker_makes_them(
    havre: Havre, plain: Registry, rootfs_tar: bytes, tmp_path: Path
) -> None:
    names = [f"{plain.name}/lists/{part}:1" for part in ("a", "b")]
    for name in names:
        havre.docker("import", "-c", f"LABEL of={name}", "-", name, stdin=rootfs_tar, check=True)
        havre.out("push", name)
    target = f"{plain.name}/lists/both:1"
    script = [
        ["inspect", names[0]],
        ["inspect", "-v", names[0]],
        ["inspect", f"{plain.name}/lists/nosuch:1"],
        ["create", target, *names],
        ["create", target, *names],
        ["annotate", "--arch", "arm64", "--variant", "v8", target, names[1]],
        ["annotate", "--arch", "arm64", target, f"{plain.name}/lists/nosuch:1"],
        ["inspect", target],
        ["inspect", target, names[0]],
        ["push", target],
        ["rm", target],
        ["rm", target],
        ["inspect", target],
        ["push", target],
    ]
    told: dict[str, list[tuple[int, str, str]]] = {}
    for program, start in (("docker", ["docker"]), ("havre", havre_words())):
        environment = {**havre.environment(), "DOCKER_CONFIG": str(tmp_path / program)}
        for words in script:
            insecure = ["--insecure"] if words[0] in {"inspect", "create", "push"} else []
            line = havre.host.enter(*start, "manifest", words[0], *insecure, *words[1:])
            done = run_client(line, environment, check=False, stdin=None, timeout_s=60)
            told.setdefault(program, []).append((done.returncode, done.stdout.decode(), done.stderr.decode()))
    for words, theirs, ours in zip(script, told["docker"], told["havre"], strict=True):
        assert ours == theirs, words
    havre.out("pull", target)
    assert havre.out("inspect", "-f", '{{index .Config.Labels "of"}}', target) == names[0]


def havre_words() -> list[str]:
    return [sys.executable, "-m", "havre.cli.main"]
