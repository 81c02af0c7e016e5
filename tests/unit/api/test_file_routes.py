"""The doors to a container's files: what they ask, and what they make of the answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.api.routes import commit, files
from havre.api.routes.commit import CommitWishes
from tests.fakes.engine import Asked
from tests.fakes.files import FakeCommits, FakeFiles
from tests.fakes.served import Answer, Served, Talk

STAT = {"name": "a", "size": 2, "mode": 0o644, "mtime": "2023-11-14T22:13:20Z", "linkTarget": ""}


class World:
    def __init__(self, folder: Path) -> None:
        self.asked = Asked()
        self.files = FakeFiles(self.asked)
        self.served = Served([*files.routes(self.files), *commit.routes(FakeCommits(self.asked))], folder)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        with Talk(self.served.connect()) as client:
            client.request(method, target, body, **headers)
            return client.answer(bodiless=method == "HEAD")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with made.served:
        yield made


def test_changes_and_export(world: World) -> None:
    assert json.loads(world.ask("GET", "/containers/c1/changes").body) == [{"Path": "/a", "Kind": 1}]
    exported = world.ask("GET", "/containers/c1/export")
    assert exported.headers["content-type"] == "application/octet-stream"
    assert b"one" in exported.body
    assert b"two" in exported.body


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_stands_at_a_path_is_told_in_a_header(world: World, method: str) -> None:
    answer = world.ask(method, "/containers/c1/archive?path=/a%20b")
    assert world.asked.calls == [("stat", "c1", "/a b")]
    assert json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"])) == STAT


def test_a_path_that_is_not_there_or_not_given(world: World) -> None:
    assert world.ask("HEAD", "/containers/c1/archive?path=/nosuch").status == 404
    assert world.ask("GET", "/containers/c1/archive").status == 400


def test_an_archive_is_handed_on_with_its_wishes(world: World) -> None:
    target = "/containers/c1/archive?path=/tmp&noOverwriteDirNonDir=true&copyUIDGID=1"
    assert world.ask("PUT", target, b"archive").status == 200
    assert world.asked.calls == [("put", "c1", "/tmp", True, True)]
    assert world.files.received == b"archive"


def test_a_refused_archive_is_read_a_little_so_that_the_answer_is_heard(world: World) -> None:
    answer = world.ask("PUT", "/containers/c1/archive?path=/read-only", b"x" * 100_000)
    assert (answer.status, answer.body) == (400, b'{"message":"container rootfs is marked read-only"}\n')


def test_a_commit_with_everything(world: World) -> None:
    target = "/commit?container=c1&repo=r&tag=t&comment=m&author=a&pause=0&changes=ENV+A%3D1&changes=CMD+x"
    answer = world.ask("POST", target, b'{"Env":["B=2"]}')
    assert (answer.status, answer.body) == (201, b'{"Id":"sha256:1"}\n')
    wishes = CommitWishes("c1", "r", "t", "m", "a", False, ("ENV A=1", "CMD x"), {"Env": ["B=2"]})
    assert world.asked.calls == [("commit", wishes)]


def test_a_commit_of_nothing(world: World) -> None:
    assert world.ask("POST", "/commit").status == 400
    world.ask("POST", "/commit?container=c1")
    assert world.asked.calls == [("commit", CommitWishes("c1", "", "", "", "", True, (), {}))]
