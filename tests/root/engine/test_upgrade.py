"""`havre upgrade`: a container on a newer image, and back when that is not well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def images(havre: Havre) -> Iterator[None]:
    for version in ("1", "2"):
        build(havre, version, "while true; do sleep 0.05; done")
    yield
    havre.remove_all()
    havre.docker("volume", "prune", "-af", check=True)


def build(havre: Havre, version: str, script: str, *changes: str) -> None:
    """The image `app`, at *version*."""
    run = f"echo {version} > /version; trap 'exit 0' TERM; {script}"
    havre.docker("run", "--name", "made", "busybox", "true", check=True)
    lines = [f'CMD ["sh", "-c", "{run}"]', f"ENV VERSION={version}", *changes]
    words = [word for line in lines for word in ("-c", line)]
    havre.docker("commit", *words, "made", f"app:{version}", check=True)
    havre.docker("rm", "made", check=True)
    havre.docker("tag", f"app:{version}", "app:latest", check=True)


def start(havre: Havre) -> str:
    havre.docker("tag", "app:1", "app:latest", check=True)
    words = ("-e", "MINE=1", "-v", "/data", "-v", "named:/named", "--restart", "always")
    made = havre.out("run", "-d", "--name", "web", *words, "app")
    havre.docker("exec", "web", "sh", "-c", "echo kept > /data/file; echo kept > /named/file", check=True)
    return made


def seen(havre: Havre) -> str:
    return havre.out("exec", "web", "sh", "-c", "echo $VERSION $MINE; cat /data/file /named/file")


def test_what_the_name_means_now(havre: Havre) -> None:
    old = start(havre)
    assert b"on that image already" in havre.havre("upgrade", "web", check=True).stderr
    havre.docker("tag", "app:2", "app:latest", check=True)
    new = havre.havre("upgrade", "--settle", "1", "web", check=True).stdout.decode().strip()
    assert new != old
    assert seen(havre) == "2 1\nkept\nkept"
    assert havre.out("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", "web") == "always"
    assert havre.out("ps", "-a", "--format", "{{.Names}}") == "web"


@pytest.mark.parametrize(
    ("script", "changes", "reason"),
    [
        ("exit 3", (), b"ended with exit code"),
        ("while true; do sleep 0.05; done", ("HEALTHCHECK --interval=100ms --retries=1 CMD false",), b"unhealthy"),
    ],
)
def test_one_that_is_not_well_is_taken_back(havre: Havre, script: str, changes: tuple[str, ...], reason: bytes) -> None:
    old = start(havre)
    build(havre, "3", script, *changes)
    done = havre.havre("upgrade", "web")
    assert done.returncode == 1
    assert reason in done.stderr
    assert havre.out("inspect", "-f", "{{.Id}}", "web") == old
    assert seen(havre) == "1 1\nkept\nkept"
    assert havre.out("ps", "-a", "--format", "{{.Names}}") == "web"


def test_one_that_removes_itself_is_left_alone(havre: Havre) -> None:
    havre.docker("tag", "app:1", "app:latest", check=True)
    made = havre.out("run", "-d", "--rm", "--name", "web", "app")
    havre.docker("tag", "app:2", "app:latest", check=True)
    refused = havre.havre("upgrade", "web")
    assert (refused.returncode, b"removes itself when it ends" in refused.stderr) == (1, True)
    assert havre.out("inspect", "-f", "{{.Id}} {{.State.Status}}", "web") == f"{made} running"


def test_one_that_rests_stays_so_and_the_old_can_be_kept(havre: Havre) -> None:
    old = start(havre)
    havre.docker("stop", "web", check=True)
    havre.havre("upgrade", "--image", "app:2", "--keep-old", "web", check=True)
    assert sorted(havre.out("ps", "-a", "--format", "{{.Names}} {{.Image}}").splitlines()) == [
        "web app:2",
        f"web-before-{old[:12]} app",
    ]
    havre.docker("start", "web", check=True)
    assert seen(havre) == "2 1\nkept\nkept"
