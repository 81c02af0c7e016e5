"""Docker's own command line with Havre as its plugin: `docker compose` and `docker build` without another program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engines import Havre, run_client

pytestmark = pytest.mark.root
FILE = "services:\n  one:\n    image: busybox\n    command: sleep 1000\n    init: true\n"
Docker = Callable[..., str]


@pytest.fixture
def docker(havre: Havre, tmp_path: Path) -> Docker:
    plugins = tmp_path / "config/cli-plugins"
    plugins.mkdir(parents=True)
    for name in ("docker-compose", "docker-buildx"):
        (plugins / name).symlink_to(Path(sys.executable).with_name("havre"))
    environment = {**havre.environment(), "DOCKER_CONFIG": str(tmp_path / "config")}

    def run(*words: str) -> str:
        line = ["docker", *words]
        return run_client(line, environment, check=True, stdin=None, timeout_s=60).stdout.decode()

    return run


def test_it_is_listed(docker: Docker) -> None:
    shown = docker("--help")
    assert "compose*" in shown
    assert "buildx*" in shown


def test_an_application(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(FILE)
    place = ("compose", "--project-directory", str(tmp_path), "-p", "plugged")
    docker(*place, "up", "-d")
    try:
        assert docker(*place, "exec", "-T", "one", "echo", "hi") == "hi\n"
        assert "plugged-one-1" in docker(*place, "ps")
    finally:
        docker(*place, "down", "-t", "0")
    assert docker("ps", "-aq") == ""


def test_a_build(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY <<EOF /said\nbuilt\nEOF\n")
    docker("build", "-q", "-t", "plugged", str(tmp_path))
    assert docker("run", "--rm", "plugged", "cat", "/said") == "built\n"
