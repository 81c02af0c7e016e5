"""Leases: what bears a lease's label goes with the last client that holds it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.engines import Havre
from tests.support.http import UnixConnection

pytestmark = pytest.mark.root
_DEADLINE_S = 40


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    havre.remove_all()
    havre.docker("volume", "prune", "-af", check=True)


@contextlib.contextmanager
def held(havre: Havre, name: str, grace: str = "0") -> Iterator[None]:
    with closing(UnixConnection(havre.socket, 60)) as connection:
        connection.request("GET", f"/v1.50/leases/{name}?grace={grace}")
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.readline()) == {"Lease": name, "Grace": float(grace)}
        yield
        answer.close()


def run(havre: Havre, name: str, *labels: str) -> None:
    words = [word for label in labels for word in ("--label", label)]
    havre.docker("run", "-d", "--name", name, *words, "-v", "/anonymous", "busybox", "sleep", "300", check=True)


def until_gone(havre: Havre, *names: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while set(havre.out("ps", "-a", "--format", "{{.Names}}").split()) & set(names):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_last_holder_takes_all_with_it(havre: Havre) -> None:
    with held(havre, "tests"), held(havre, "others"):
        havre.docker("volume", "create", "--label", "havre.lease=tests", "leased", check=True)
        run(havre, "one", "havre.lease=tests")
        run(havre, "two", "havre.lease=others")
        run(havre, "three")
        with held(havre, "tests"):
            pass
        assert len(havre.out("ps", "-q").split()) == 3
    until_gone(havre, "one", "two")
    assert havre.out("ps", "--format", "{{.Names}}") == "three"
    havre.docker("rm", "-fv", "three", check=True)
    deadline = time.monotonic() + _DEADLINE_S
    while havre.out("volume", "ls", "-q"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_comes_back_within_the_grace_finds_it(havre: Havre) -> None:
    with held(havre, "tests", "3000"):
        run(havre, "one", "havre.lease=tests")
    with held(havre, "tests"):
        assert havre.out("ps", "--format", "{{.Names}}") == "one"
    until_gone(havre, "one")


def test_a_killed_client_is_a_client_that_is_gone(havre: Havre) -> None:
    script = "echo $HAVRE_LEASE; sleep 300"
    line = [sys.executable, "-m", "havre.cli.main", "lease", "--grace", "0", "tests", "sh", "-c", script]
    with subprocess.Popen(line, env=havre.environment(), stdout=subprocess.PIPE, start_new_session=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"tests\n"
        run(havre, "one", "havre.lease=tests")
        os.killpg(client.pid, signal.SIGKILL)
    until_gone(havre, "one")


def test_the_command_gives_its_code(havre: Havre) -> None:
    assert havre.havre("lease", "tests", "sh", "-c", "exit 7").returncode == 7
    assert havre.havre("lease", "tests", "/nosuch").returncode == 127
    assert havre.havre("lease", "tests", "--", "sh", "-c", "exit 8").returncode == 8
    assert havre.havre("lease", "tests", "--").stderr == b"the lease is held for a command: none is given\n"
    assert havre.havre("lease", "a/b", "--", "true").stderr == b"invalid lease name: 'a/b'\n"


def test_bad_words_are_refused(havre: Havre) -> None:
    assert havre.api("1.50").get("/leases/a%20b").status == 400
    assert havre.api("1.50").get("/leases/good", grace="-1").status == 400
    assert havre.api("1.50").get("/leases/good", grace="soon").status == 400
