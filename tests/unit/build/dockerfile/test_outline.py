from __future__ import annotations

from collections.abc import Mapping

import pytest

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.origins import find_target
from havre.build.dockerfile.outline import Outline, Parameter, Target, outline, targets
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.scope import global_args

NOTHING: Mapping[str, str] = {}

TEXT = """\
ARG BASE=debian
# VERSION of the base image
ARG VERSION=$DEFAULT
ARG UNUSED=1
# build makes the program
FROM $BASE:$VERSION AS build
ARG FLAGS="-O2 $MORE"
RUN --mount=type=secret,id=token,required --mount=type=cache,target=/c make

FROM scratch AS other
ARG OTHER
RUN --mount=type=secret,id=never x

FROM --platform=$BUILDPLATFORM build
ARG VERSION
ARG EMPTY
RUN --mount=type=ssh --mount=type=secret,id=token,target=$x y
COPY --from=build a b
"""


def of(target: str = "", given: Mapping[str, str] = NOTHING) -> Outline:
    program = read_text(TEXT)
    args = global_args(program, given, {"BUILDPLATFORM": "linux/amd64", "DEFAULT": "12"})
    return outline(program, find_target(program, target), given, args)


def test_targets() -> None:
    found = targets(read_text(TEXT))
    assert [one.label for one in found] == ["build", "other", "(default)"]
    assert found[0] == Target("build", "makes the program", "$BASE:$VERSION", "", is_default=False)
    assert found[2] == Target("", "", "build", "$BUILDPLATFORM", is_default=True)


def test_a_default_target_may_have_a_name() -> None:
    assert targets(read_text("FROM a AS b"))[0].label == "b (default)"


def test_what_the_last_stage_takes() -> None:
    found = of()
    assert found.target.is_default
    assert found.args == (
        Parameter(Location(1, 1), "BASE", "debian"),
        Parameter(Location(3, 3), "VERSION", "12", "of the base image"),
        Parameter(Location(7, 7), "FLAGS", "-O2 "),
        Parameter(Location(16, 16), "EMPTY"),
    )
    assert found.secrets == (Parameter(Location(8, 8), "token", required=True),)
    assert found.agents == (Parameter(Location(17, 17), "default"),)
    assert found.caches == (Parameter(Location(8, 8), "/c"),)


def test_values_that_the_build_gives() -> None:
    values = {one.name: one.value for one in of("build", {"VERSION": "13", "FLAGS": "-g"}).args}
    assert values == {"BASE": "debian", "VERSION": "13", "FLAGS": "-g"}


def test_a_stage_alone() -> None:
    found = of("other")
    assert [one.name for one in found.args] == ["OTHER"]
    assert [one.name for one in found.secrets] == ["never"]


def test_globals_that_others_need() -> None:
    program = read_text("ARG a=1\nARG b=$a\nFROM x:$b")
    found = outline(program, program.stages[0], NOTHING, global_args(program, NOTHING, NOTHING))
    assert [(one.name, one.value) for one in found.args] == [("a", "1"), ("b", "1")]


def test_errors_have_a_place() -> None:
    program = read_text("FROM x\nRUN --mount=type=y z")
    with pytest.raises(DockerfileError) as caught:
        outline(program, program.stages[0], NOTHING, global_args(program, NOTHING, NOTHING))
    assert caught.value.location == Location(2, 2)
