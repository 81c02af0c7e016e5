"""Images that a Dockerfile names and that are not here come from their registry, with the client's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian_registry import PASSWORD, USER, Registry, passwords
from tests.support.debian_registry import running as serving
from tests.support.engines import Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def closed(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that wants to know who asks."""
    folder = tmp_path_factory.mktemp("closed")
    with serving(Registry(module_host, folder, 5011, passwords(folder))) as registry:
        yield registry


@pytest.fixture
def image(havre: Havre, closed: Registry, rootfs_tar: bytes) -> str:
    """An image that only the registry has."""
    name = f"{closed.name}/base:1"
    havre.docker("login", "-u", USER, "--password-stdin", closed.name, stdin=PASSWORD.encode(), check=True)
    havre.docker("import", "-c", "ENV FROM_REGISTRY=1", "-", name, stdin=rootfs_tar, check=True)
    havre.docker("push", name, check=True)
    havre.docker("rmi", "-f", name, check=True)
    return name


@pytest.mark.parametrize("program", ["docker", "havre"])
def test_a_base_that_is_not_here(havre: Havre, image: str, program: str) -> None:
    text = f'FROM {image}\nRUN test "$FROM_REGISTRY" = 1\nCOPY --from={image} /etc/passwd /copied\n'.encode()
    build = havre.build if program == "docker" else lambda *words, **more: havre.havre("build", *words, **more)
    done = build("-t", "pulled", "-", stdin=text)
    assert done.returncode == 0, done.stderr.decode()
    assert "Pulling from base" in (done.stdout + done.stderr).decode()
    again = build("-t", "pulled", "-", stdin=text)
    assert "Pulling from base" not in (again.stdout + again.stderr).decode()
    havre.docker("rmi", "-f", image, check=True)


def test_pull_asks_the_registry_though_an_image_is_here(havre: Havre, image: str, rootfs_tar: bytes) -> None:
    havre.docker("import", "-", image, stdin=rootfs_tar, check=True)
    text = f'FROM {image}\nRUN test "$FROM_REGISTRY" = 1\n'.encode()
    assert havre.havre("build", "-", stdin=text).returncode == 1
    assert havre.havre("build", "--pull", "-", stdin=text).returncode == 0


def test_a_stranger_is_refused(havre: Havre, image: str) -> None:
    Path(havre.environment()["DOCKER_CONFIG"], "config.json").write_text("{}")
    done = havre.havre("build", "-", stdin=f"FROM {image}\nRUN true\n".encode())
    assert done.returncode == 1
    assert (
        "denied" in done.stderr.decode()
        or "unauthorized" in done.stderr.decode()
        or "no basic auth" in done.stderr.decode()
    )


def test_an_image_that_no_registry_has(havre: Havre, image: str) -> None:
    missing = image.replace("base:1", "missing:1")
    done = havre.build("-", stdin=f"FROM {missing}\nRUN true\n".encode())
    assert done.returncode == 1
    assert "missing" in done.stderr.decode()


def test_push_of_what_was_built(havre: Havre, image: str, closed: Registry) -> None:
    name = f"{closed.name}/made:1"
    done = havre.havre("build", "-t", name, "--push", "-", stdin=f"FROM {image}\nRUN echo made > /made\n".encode())
    assert done.returncode == 0, done.stderr.decode()
    havre.docker("rmi", "-f", name, check=True)
    assert havre.out("run", "--rm", "--network", "none", name, "cat", "/made") == "made"
