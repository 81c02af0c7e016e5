from __future__ import annotations

import pytest

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.instructions import Arg, Copy, Env, Run
from havre.build.dockerfile.program import read_text, read_trigger


def test_stages() -> None:
    program = read_text("# escape=`\nARG v=1\nARG w\nFROM a:$v AS one\nRUN b\nENV c=d\nFROM one\nCOPY e f\n")
    assert program.escape == "`"
    assert [type(arg) for arg in program.global_args] == [Arg, Arg]
    assert [(stage.index, stage.name, stage.base.image) for stage in program.stages] == [
        (0, "one", "a:$v"),
        (1, "", "one"),
    ]
    assert [type(one) for stage in program.stages for one in stage.instructions] == [Run, Env, Copy]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the Dockerfile cannot be empty"),
        ("# x", "file with no instructions"),
        ("ARG a", "dockerfile contains no stages to build"),
        ("ARG a\nRUN b", "dockerfile parse error on line 2: no build stage in current context"),
        ("FROM a\nRUNN b", "dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        read_text(text)
    assert caught.value.message == message


def test_an_error_knows_its_lines() -> None:
    with pytest.raises(DockerfileError) as caught:
        read_text("FROM a\nCOPY \\\n b")
    assert caught.value.location == Location(2, 3)


def test_triggers() -> None:
    trigger = read_trigger("COPY <<E /x\na\nE")
    assert isinstance(trigger, Copy)
    assert trigger.files[0].content == "a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [("RUN a\nRUN b", "onbuild trigger should be a single expression"), ("RUNN", "unknown instruction: RUNN")],
)
def test_triggers_that_are_none(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        read_trigger(text)
    assert caught.value.reason.startswith(message)
