from __future__ import annotations

import pytest

from havre.build.dockerfile.errors import Location
from havre.build.dockerfile.instructions import Command, From, Maintainer, Stage

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
