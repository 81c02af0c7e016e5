"""Real software, built from packages and run: the images of examples/. Four minutes, and registries of packages.

The builds need the machine's own network: the engine runs outside of any test host, without a rule or a setting of it.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host

pytestmark = [pytest.mark.root, pytest.mark.soak, pytest.mark.timeout(1800)]

FOLDER = Path(__file__).parents[3] / "examples" / "images"
SETTINGS = {"ca": "/etc/ssl/certs/ca-certificates.crt", "pip": "/etc/pip.conf", "npm": "/etc/npmrc"}


class Outside(Host):
    """The machine itself."""

    def enter(self, *command: str) -> list[str]:
        return list(command)


@pytest.fixture(scope="module")
def open_havre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Havre]:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("no program here makes a base image")
    flags = ["--iptables=false", "--ip-forward=false", "--ip-masq=false", "--bip", "172.31.253.1/24"]
    engine = Havre(Outside("machine"), tmp_path_factory.mktemp("hv"), flags)
    before = links()
    try:
        with running(engine):
            engine.havre("image", "bootstrap", "debian:bookworm", check=True, timeout_s=600)
            yield engine
    finally:
        for link in links() - before:
            subprocess.run(["ip", "link", "delete", link], check=True)


def links() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


@pytest.fixture
def ran(open_havre: Havre, request: pytest.FixtureRequest) -> Iterator[Havre]:
    """With a container `one` of the image that the test is about."""
    name: str = request.param
    secrets = [f"--secret=id={key},src={path}" for key, path in SETTINGS.items() if Path(path).exists()]
    words = ["build", "-t", name, "--network", "host", *secrets, str(FOLDER / name)]
    open_havre.havre(*words, check=True, timeout_s=900)
    open_havre.docker("run", "-d", "--name", "one", name, check=True)
    try:
        yield open_havre
    finally:
        open_havre.docker("rm", "-f", "one", check=True)


def page(havre: Havre, port: int) -> str:
    address = havre.out("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "one")
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}:{port}/", timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            assert time.monotonic() < deadline, havre.docker("logs", "one").stderr.decode()
            time.sleep(0.2)


def wait_healthy(havre: Havre) -> None:
    deadline = time.monotonic() + 120
    while havre.out("inspect", "-f", "{{.State.Health.Status}}", "one") != "healthy":
        assert time.monotonic() < deadline, havre.docker("logs", "one").stderr.decode()
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("ran", "port", "text"),
    [("nginx", 80, "It works"), ("python-web", 8000, "Hello from Flask"), ("node-web", 8080, "Hello from Express")],
    indirect=["ran"],
)
def test_pages(ran: Havre, port: int, text: str) -> None:
    assert text in page(ran, port)


@pytest.mark.parametrize("ran", ["redis"], indirect=True)
def test_redis(ran: Havre) -> None:
    wait_healthy(ran)
    assert ran.out("exec", "one", "redis-cli", "set", "a", "b") == "OK"
    assert ran.out("exec", "one", "redis-cli", "get", "a") == "b"


@pytest.mark.parametrize("ran", ["postgres"], indirect=True)
def test_postgres(ran: Havre) -> None:
    wait_healthy(ran)
    assert ran.out("exec", "one", "psql", "-U", "postgres", "-tAc", "select 1 + 1") == "2"
    ran.docker("stop", "one", check=True)
    assert ran.out("inspect", "-f", "{{.State.ExitCode}}", "one") == "0"


@pytest.mark.parametrize("ran", ["c-scratch"], indirect=True)
def test_a_program_alone(ran: Havre) -> None:
    ran.docker("wait", "one", check=True)
    assert "Hello" in ran.out("logs", "one")
    assert ran.havre("system", "check", timeout_s=300).returncode == 0
