"""The voting application in a real browser: images made from Debian's packages, five services, two networks, a volume.

`havre compose` runs it on both engines, docker-compose 1.29 on Havre. The base images take minutes to make, so it runs
with `make soak`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.root.compose.conftest import App
from tests.support.browser import Browser, chromium, eventually
from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.soak, pytest.mark.timeout(1800)]

EXAMPLE = Path(__file__).parents[3] / "examples" / "voting-app"
VOTE, RESULT = "http://127.0.0.1:5000/", "http://127.0.0.1:5001/"


class OldApp(App):
    """The same application, driven by docker-compose 1.29."""

    def line(self, *words: str) -> list[str]:
        return ["docker-compose", "--project-directory", str(self.folder), "-f", f"{self.folder}/compose.yaml", *words]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of archives, one a base image, called as the image is."""
    folder = tmp_path_factory.mktemp("bases")
    keep = folder / "keep"
    keep.write_text(f'#!/bin/sh\ncat > "{folder}/$3.tar"\n')
    keep.chmod(0o755)
    subprocess.run([EXAMPLE / "bases", keep], check=True, timeout=1500)
    return folder


@pytest.fixture(scope="module", params=["havre compose", "docker-compose", "havre compose on dockerd"])
def voting(request: pytest.FixtureRequest, bases: Path) -> Iterator[App]:
    engine: Engine = request.getfixturevalue("reference" if request.param.endswith("dockerd") else "havre")
    for archive in sorted(bases.glob("*.tar")):
        engine.out("import", str(archive), archive.stem)
    app = (OldApp if request.param == "docker-compose" else App)(engine, EXAMPLE)
    app.compose("up", "-d", "--build")
    yield app
    app.compose("down", "-v", "--rmi", "all")


def container_of(app: App, service: str) -> str:
    return app.out("ps", "-q", service)


@pytest.fixture
def browser(voting: App) -> Iterator[Browser]:
    with chromium(voting.engine.host) as made:
        yield made


def counts(browser: Browser) -> tuple[int, int]:
    browser.open(RESULT)
    eventually(lambda: browser.text("#count-a").isdigit())
    return int(browser.text("#count-a")), int(browser.text("#count-b"))


def shown(browser: Browser) -> tuple[str, str]:
    return browser.text("#count-a"), browser.text("#count-b")


def cast(browser: Browser, option: str, name: str) -> None:
    """Vote, and see it acknowledged: leaving the page before would take the request back."""
    browser.click(f"#{option}")
    eventually(lambda: browser.text("#said") == f"You voted for {name}.")


def test_a_vote_changes_the_result(voting: App, browser: Browser) -> None:
    cats, dogs = counts(browser)
    browser.open(VOTE)
    vote = browser.here()
    result = browser.tab(RESULT)
    browser.switch(vote)
    cast(browser, "a", "Cats")
    browser.switch(result)
    eventually(lambda: shown(browser) == (str(cats + 1), str(dogs)))
    browser.switch(vote)
    cast(browser, "b", "Dogs")
    browser.switch(result)
    eventually(lambda: shown(browser) == (str(cats), str(dogs + 1)))


def test_the_database_comes_back_with_its_data(voting: App, browser: Browser) -> None:
    cats, dogs = counts(browser)
    container = container_of(voting, "db")
    started = voting.engine.out("inspect", "-f", "{{.State.StartedAt}}", container)
    os.kill(int(voting.engine.out("inspect", "-f", "{{.State.Pid}}", container)), signal.SIGKILL)
    eventually(lambda: voting.engine.out("inspect", "-f", "{{.State.StartedAt}}", container) != started)
    browser.open(VOTE)
    cast(browser, "a", "Cats")
    browser.open(RESULT)
    eventually(lambda: shown(browser) == (str(cats + 1), str(dogs)))


def test_three_vote_pages_have_one_name(voting: App) -> None:
    voting.compose("up", "-d", "--scale", "vote=3", VOTE_PORT="5010-5019")
    ask = "import socket; print(len({one[4][0] for one in socket.getaddrinfo('vote', 80)}))"
    assert voting.out("exec", "-T", "worker", "python3", "-c", ask) == "3"
    voting.compose("up", "-d")
