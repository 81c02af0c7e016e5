"""The voting application in a real browser: images made from Debian's packages, five services, two networks, a volume.

The base images take minutes to make, so it runs with `make soak`.
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
from tests.support.engines import Havre

pytestmark = [pytest.mark.root, pytest.mark.soak, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[3] / "examples" / "voting-app"
VOTE, RESULT = "http://127.0.0.1:5000/", "http://127.0.0.1:5001/"


@pytest.fixture(scope="module")
def voting(havre: Havre) -> Iterator[App]:
    subprocess.run([EXAMPLE / "bases", "docker"], env=havre.environment(), check=True, timeout=600)
    app = App(havre, EXAMPLE)
    app.compose("up", "-d", "--build")
    yield app
    app.compose("down", "-v", "--rmi", "all")


@pytest.fixture
def browser(voting: App) -> Iterator[Browser]:
    with chromium(voting.engine.host) as made:
        yield made


def counts(browser: Browser) -> tuple[str, str]:
    return browser.text("#count-a"), browser.text("#count-b")


def test_a_vote_changes_the_result(voting: App, browser: Browser) -> None:
    browser.open(VOTE)
    vote = browser.here()
    result = browser.tab(RESULT)
    browser.switch(vote)
    browser.click("#a")
    assert browser.text("#said") == "You voted for Cats."
    browser.switch(result)
    eventually(lambda: counts(browser) == ("1", "0"))
    browser.switch(vote)
    browser.click("#b")
    browser.switch(result)
    eventually(lambda: counts(browser) == ("0", "1"))


def test_the_database_comes_back_with_its_data(voting: App, browser: Browser) -> None:
    container = f"{voting.name}-db-1"
    started = voting.engine.out("inspect", "-f", "{{.State.StartedAt}}", container)
    os.kill(int(voting.engine.out("inspect", "-f", "{{.State.Pid}}", container)), signal.SIGKILL)
    eventually(lambda: voting.engine.out("inspect", "-f", "{{.State.StartedAt}}", container) != started)
    browser.open(VOTE)
    browser.click("#a")
    browser.open(RESULT)
    eventually(lambda: counts(browser) == ("1", "1"))


def test_three_vote_pages_have_one_name(voting: App) -> None:
    voting.compose("up", "-d", "--scale", "vote=3", VOTE_PORT="5010-5019")
    ask = "import socket; print(len({one[4][0] for one in socket.getaddrinfo('vote', 80)}))"
    assert voting.out("exec", "-T", "worker", "python3", "-c", ask) == "3"
    voting.compose("up", "-d")
