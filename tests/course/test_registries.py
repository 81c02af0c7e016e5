"""The course's chapter on registries, its exercise on a registry of our own: account, login, tag, push, pull, use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.course.desk import Desk
from tests.support.registries import HavreRegistry, htpasswd, running

pytestmark = pytest.mark.root


@pytest.fixture
def hub(desk: Desk, tmp_path: Path) -> Iterator[HavreRegistry]:
    users = htpasswd(tmp_path / "users", {"hainautp": "s3cret"})
    config = {"auth": {"htpasswd": {"realm": "hub", "path": str(users)}}}
    registry = HavreRegistry(tmp_path / "hub", config, desk.engine.host)
    with running(registry):
        yield registry


def test_exercise_from_account_to_use(desk: Desk, hub: HavreRegistry) -> None:
    name = f"{hub.domain}/hainautp/webserv:1.0"
    (desk.folder / "Dockerfile").write_text(
        "FROM alpine\nRUN mkdir /www; echo served > /www/index.html\nCMD httpd -f -h /www\n"
    )
    desk.type("DOCKER_BUILDKIT=0 docker build -t webserv .")
    desk.type(f"docker tag webserv {name}")
    assert "no basic auth credentials" in desk.type(f"docker image push {name}", code=1)
    assert (
        "unauthorized"
        in desk.type(f"docker login -u hainautp --password-stdin {hub.domain}", code=1, stdin="wrong").lower()
    )
    assert "Login Succeeded" in desk.type(f"docker login -u hainautp --password-stdin {hub.domain}", stdin="s3cret")
    pushed = desk.type(f"docker image push {name}")
    assert f"The push refers to repository [{hub.domain}/hainautp/webserv]" in pushed
    assert "1.0: digest: sha256:" in pushed
    desk.type(f"docker rmi webserv {name}")
    pulled = desk.type(f"docker image pull {name}")
    assert f"Status: Downloaded newer image for {name}" in pulled
    assert pulled.endswith(name)
    desk.type(f"docker container run -d -p 8080:80 {name}")
    assert desk.page("http://localhost:8080") == "served"
    assert "Removing login credentials" in desk.type(f"docker logout {hub.domain}")
    desk.type(f"docker rm -f $(docker ps -aq); docker rmi {name}")
    assert desk.type(f"docker pull {name}", code=1)


def test_what_is_not_here_is_pulled_before_it_runs(desk: Desk, hub: HavreRegistry) -> None:
    name = f"{hub.domain}/hainautp/alpine"
    desk.type(f"docker login -u hainautp --password-stdin {hub.domain}", stdin="s3cret")
    desk.type(f"docker tag alpine {name}; docker push {name}; docker rmi {name}")
    shown = desk.type(f"docker container run {name} echo hello world")
    assert f"Unable to find image '{name}:latest' locally" in shown
    assert "latest: Pulling from hainautp/alpine" in shown
    assert shown.endswith("hello world")
