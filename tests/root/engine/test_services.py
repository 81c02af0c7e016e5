"""Real services that find each other by name on a network of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support import services
from tests.support.engines import Havre

pytestmark = pytest.mark.root
_PATIENCE_S = 60


@pytest.fixture(scope="module")
def town(havre: Havre) -> Iterator[Havre]:
    services.provide(havre)
    havre.out("network", "create", "town")
    for name, image in (("cache", "redis"), ("db", "postgres"), ("web", "nginx"), ("front", "nginx")):
        havre.out("run", "-d", "--name", name, "--hostname", name, "--network", "town", image)
    yield havre
    havre.remove_all()
    havre.out("network", "rm", "town")


def until(engine: Havre, wanted: str, *words: str) -> None:
    """Wait until the command in a container says *wanted*: a service begins after its container."""
    deadline = time.monotonic() + _PATIENCE_S
    while wanted not in (said := engine.docker("exec", *words).stdout.decode()):
        assert time.monotonic() < deadline, (words, said)
        time.sleep(0.05)


def test_redis_is_reached_by_name_and_follows_another_by_name(town: Havre) -> None:
    until(town, "PONG", "front", "sh", "-c", "echo PING | nc -w 2 cache 6379")
    follower = ("redis-server", "--protected-mode", "no", "--save", "", "--replicaof", "cache", "6379")
    town.out("run", "-d", "--name", "copy", "--network", "town", "redis", *follower)
    town.out("exec", "copy", "redis-cli", "-h", "cache", "set", "colour", "blue")
    until(town, "blue", "copy", "redis-cli", "get", "colour")


def test_postgresql_keeps_what_a_neighbour_writes(town: Havre) -> None:
    ask = ("run", "--rm", "--network", "town", "postgres", "psql", "-h", "db", "-At", "-c")
    until(town, "1", "db", "psql", "-h", "db", "-At", "-c", "select 1")
    town.out(*ask, "create table votes (choice text)")
    town.out(*ask, "insert into votes values ('cats'), ('dogs')")
    assert town.out(*ask, "select count(*) from votes") == "2"


def test_nginx_passes_on_to_a_neighbour_by_name(town: Havre) -> None:
    until(town, "served by web", "cache", "wget", "-qO-", "http://front/of/web")
    town.out("rm", "-f", "web")
    town.out(
        "run", "-d", "--name", "other", "--hostname", "other", "--network-alias", "web", "--network", "town", "nginx"
    )
    until(town, "served by other", "cache", "wget", "-qO-", "http://front/of/other")
    until(town, "served by other", "cache", "wget", "-qO-", "http://web/")
