from __future__ import annotations

import pytest

from havre.build.dockerfile.errors import Location
from havre.build.dockerfile.instructions import Command, From, Maintainer, Mount, MountKind, Stage

HERE = Location(1, 1)
SHELL = ("/bin/sh", "-c")


def test_the_keyword_is_as_written() -> None:
    assert Maintainer(text="mainTainer x", location=HERE, name="x").keyword == "mainTainer"


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        (Command(("a", "b"), is_shell=False), ("a", "b")),
        (Command(("a b",), is_shell=True), ("/bin/sh", "-c", "a b")),
        (Command((), is_shell=False), ()),
        (Command((), is_shell=True), ("/bin/sh", "-c", "")),
    ],
)
def test_what_is_started(command: Command, argv: tuple[str, ...]) -> None:
    assert command.argv(SHELL) == argv


def test_a_stage_has_its_bases_name() -> None:
    assert Stage(0, From(text="FROM a AS b", location=HERE, image="a", name="b"), ()).name == "b"


@pytest.mark.parametrize(
    ("mount", "name"),
    [
        (Mount(kind=MountKind.SECRET, id="a", target="/b"), "a"),
        (Mount(kind=MountKind.SECRET, source="a"), "a"),
        (Mount(kind=MountKind.SECRET, target="/x/b"), "b"),
        (Mount(kind=MountKind.SSH), "default"),
        (Mount(kind=MountKind.SSH, id="a"), "a"),
        (Mount(kind=MountKind.CACHE, target="/a/../b/"), "/b"),
        (Mount(kind=MountKind.CACHE, id="a", target="/b"), "a"),
        (Mount(target="/b"), ""),
    ],
)
def test_names_of_mounts(mount: Mount, name: str) -> None:
    assert mount.resolved_id == name
