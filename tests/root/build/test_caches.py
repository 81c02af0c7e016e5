"""Caches of elsewhere: a registry, a folder, an image; what one engine did, another one (here: emptied) need not do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_registry import Registry
from tests.support.debian_registry import running as serving
from tests.support.engines import Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root

DOCKERFILE = (
    "FROM busybox AS tool\nRUN cat /proc/uptime > /tool\n"
    "FROM busybox\nENV A=1\nCOPY a /in/\nWORKDIR /w\nRUN cat /proc/uptime > /stamp\nCOPY --from=tool /tool /tool\n"
)


@pytest.fixture(scope="module")
def registry(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(Registry(module_host, tmp_path_factory.mktemp("registry"), 5013)) as made:
        yield made


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "a").write_text(str(tmp_path))
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


def build(havre: Havre, context: Path, *flags: str, code: int = 0) -> str:
    done = havre.havre("build", "-t", "made", *flags, str(context))
    assert done.returncode == code, done.stderr.decode()
    return done.stderr.decode()


def stamps(havre: Havre) -> list[str]:
    return havre.out("run", "--rm", "--network", "none", "made", "cat", "/stamp", "/tool").split("\n")


def forget(havre: Havre, *names: str) -> None:
    """As if it were another engine: neither images nor steps are left."""
    havre.docker("rmi", "-f", "made", *names, check=True)
    havre.docker("builder", "prune", "-af", check=True)
    assert not json.loads(havre.api().get("/system/df").body)["BuildCache"]


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("kind", ["registry", "local"])
def test_what_was_done_elsewhere(havre: Havre, context: Path, registry: Registry, kind: str, mode: str) -> None:
    name, folder = f"{registry.name}/cache:{mode}", context.with_name("cache")
    back = f"type={kind}," + (f"ref={name}" if kind == "registry" else f"src={folder}")
    build(havre, context, "--cache-to", f"{back.replace('src=', 'dest=')},mode={mode}")
    first = stamps(havre)
    identifier = havre.out("inspect", "-f", "{{.Id}}", "made")
    forget(havre)
    said = build(havre, context, "--cache-from", back)
    found = stamps(havre)
    assert found[0] == first[0], said
    assert (found == first) == (mode == "max"), "the other stage's steps are kept where all are asked for"
    if mode == "max":
        assert havre.out("inspect", "-f", "{{.Id}}", "made") == identifier
        assert "CACHED" in said
    (context / "a").write_text("changed")
    build(havre, context, "--cache-from", back)
    assert stamps(havre)[0] != found[0], "other files are another step"


def test_an_image_that_carries_its_cache(havre: Havre, context: Path, registry: Registry) -> None:
    name = f"{registry.name}/inline:1"
    (context / "Dockerfile").write_text("FROM busybox\nCOPY a /in/\nRUN cat /proc/uptime > /stamp && touch /tool\n")
    havre.havre("build", "--cache-to", "type=inline", "-t", name, "--push", str(context), check=True)
    havre.docker("tag", name, "made", check=True)
    first = stamps(havre)
    forget(havre, name)
    build(havre, context, "--cache-from", name)
    assert stamps(havre) == first
    assert havre.out("history", "-q", "made")


def test_docker_s_way(havre: Havre, context: Path, registry: Registry) -> None:
    """Pull, build with --cache-from, push: by the docker command alone, in the classic protocol."""
    name = f"{registry.name}/classic:1"
    (context / "Dockerfile").write_text("FROM busybox\nCOPY a /in/\nRUN cat /proc/uptime > /stamp && touch /tool\n")
    havre.build("--cache-from", name, "-t", name, "-t", "made", str(context), check=True)
    havre.docker("push", name, check=True)
    first = stamps(havre)
    forget(havre, name)
    havre.docker("pull", name, check=True)
    done = havre.build("--cache-from", name, "-t", "made", str(context), check=True)
    assert done.stdout.count(b"Using cache") == 2
    assert stamps(havre) == first
    forget(havre, name)


def test_an_image_without_keys_is_known_by_its_history(havre: Havre, context: Path) -> None:
    text = "FROM busybox\nENV A=1\nRUN cat /proc/uptime > /stamp\nWORKDIR /w\nRUN touch /tool\nCOPY a /in\n"
    (context / "Dockerfile").write_text(text)
    build(havre, context, "-t", "plain")
    first = stamps(havre)
    archive = havre.docker("save", "plain", check=True).stdout
    forget(havre, "plain")
    havre.docker("load", stdin=archive, check=True)
    done = havre.build("--cache-from", "plain", "-t", "made", str(context), check=True)
    assert done.stdout.count(b"Using cache") == 4, "all but COPY, of which the history does not tell the files"
    assert stamps(havre) == first
    forget(havre, "plain")
    havre.docker("load", stdin=archive, check=True)
    identifier = havre.out("inspect", "-f", "{{.Id}}", "plain")
    done = havre.build("--cache-from", identifier, "-t", "made", str(context), check=True)
    assert done.stdout.count(b"Using cache") == 4
    forget(havre, "plain")
    havre.docker("load", stdin=archive, check=True)
    (context / "Dockerfile").write_text(text.replace("A=1", "A=2"))
    havre.build("--cache-from", "plain", "-t", "made", str(context), check=True)
    assert stamps(havre) != first, "what stands above counts"
    forget(havre, "plain")


def test_a_cache_that_is_not_there_fails_no_build(havre: Havre, context: Path, registry: Registry) -> None:
    said = build(
        havre, context, "--cache-from", f"{registry.name}/nothing:1", "--cache-from", "type=local,src=/nowhere"
    )
    assert "nothing:1 is not used" in said
    assert "there is no cache in /nowhere" in said
    for place, reason in (
        ("type=gha", "not supported"),
        ("type=registry", "needs ref"),
        ("type=inline,mode=x", "mode"),
    ):
        assert reason in build(havre, context, "--cache-to", place, code=1)


def test_a_cache_that_cannot_be_written(havre: Havre, context: Path) -> None:
    to = "type=registry,ref=localhost:1/cache:1"
    assert "localhost:1" in build(havre, context, "--cache-to", to, code=1)
    assert "was not written" in build(havre, context, "--cache-to", f"{to},ignore-error=true")


def test_a_damaged_cache_is_given_up(havre: Havre, context: Path, tmp_path: Path) -> None:
    build(havre, context, "--cache-to", f"type=local,dest={tmp_path}/cache,mode=max")
    first = stamps(havre)
    forget(havre)
    for blob in (tmp_path / "cache" / "blobs" / "sha256").iterdir():
        if not blob.read_bytes().startswith(b"{"):
            blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    said = build(havre, context, "--cache-from", f"type=local,src={tmp_path}/cache")
    assert "is not used" in said
    assert stamps(havre) != first
    assert not havre.havre("system", "check").returncode


def test_compose_takes_and_gives(havre: Havre, context: Path, registry: Registry) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nCOPY a /in/\nRUN cat /proc/uptime > /stamp && touch /tool\n")
    name = f"{registry.name}/compose:1"
    places = f"cache_from: ['{name}']\n      cache_to: ['type=registry,ref={name}']\n"
    file = context / "compose.yaml"
    file.write_text(f"services:\n  one:\n    image: made\n    build:\n      context: .\n      {places}")
    havre.havre("compose", "-f", str(file), "build", check=True)
    first = stamps(havre)
    forget(havre)
    havre.havre("compose", "-f", str(file), "build", check=True)
    assert stamps(havre) == first
