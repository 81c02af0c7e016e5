from __future__ import annotations

from collections.abc import Mapping

import pytest

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.instructions import Arg, Env, StageInstruction
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.scope import (
    GlobalArgs,
    Platforms,
    Scope,
    expand_from,
    global_args,
    unused_args,
    unused_args_warning,
)
from havre.oci.descriptor import Platform

AMD64 = Platform(architecture="amd64", os="linux")
ARM = Platform(architecture="arm", os="linux", variant="v7")
NOTHING: Mapping[str, str] = {}


def instructions(text: str) -> tuple[StageInstruction, ...]:
    return read_text(f"FROM x\n{text}").stages[0].instructions


def after(text: str, scope: Scope) -> Scope:
    for one in instructions(text):
        if isinstance(one, Arg):
            scope = scope.declare(one)
        if isinstance(one, Env):
            scope = scope.define(one)
    return scope


def test_platform_args() -> None:
    assert Platforms(AMD64, ARM).args("", {"TARGETOS": "mine"}) == {
        "BUILDPLATFORM": "linux/amd64",
        "BUILDOS": "linux",
        "BUILDOSVERSION": "",
        "BUILDARCH": "amd64",
        "BUILDVARIANT": "",
        "TARGETPLATFORM": "linux/arm/v7",
        "TARGETOS": "mine",
        "TARGETOSVERSION": "",
        "TARGETARCH": "arm",
        "TARGETVARIANT": "v7",
        "TARGETSTAGE": "default",
    }
    assert Platforms(AMD64, ARM).args("web", NOTHING)["TARGETSTAGE"] == "web"


def test_global_args() -> None:
    program = read_text("ARG a=1 b=$a-$TARGETOS\nARG c\nARG d\nFROM x")
    found = global_args(program, {"d": "4", "other": "5"}, {"TARGETOS": "linux"})
    assert found.values == {"TARGETOS": "linux", "a": "1", "b": "1-linux", "d": "4"}
    assert found.declared == {"TARGETOS", "a", "b", "c", "d"}


def test_a_global_arg_that_cannot_be_expanded() -> None:
    with pytest.raises(DockerfileError) as caught:
        global_args(read_text("ARG a=${b?no}\nFROM x"), NOTHING, NOTHING)
    assert caught.value.location == Location(1, 1)


def test_from() -> None:
    base = expand_from(read_text("FROM --platform=$p a:$v$w").stages[0].base, {"p": "linux/arm/v7", "v": "1"})
    assert (base.instruction.image, base.instruction.platform, base.platform) == ("a:1", "linux/arm/v7", ARM)
    assert (set(base.used), set(base.missing)) == ({"p", "v"}, {"w"})


def test_from_without_platform() -> None:
    assert expand_from(read_text("FROM a").stages[0].base, NOTHING).platform is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM $a", "base name ($a) should not be blank"),
        ("FROM --platform=$a b", "empty platform value from expression $a"),
        ("FROM --platform=a/b/c/d b", 'failed to parse platform a/b/c/d: "a/b/c/d" is an invalid OS'),
        ("FROM ${a", 'failed to process "${a": syntax error: missing'),
    ],
)
def test_from_what_is_nothing(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand_from(read_text(text).stages[0].base, NOTHING)
    assert caught.value.reason.startswith(reason)
    assert caught.value.location == Location(1, 1)


@pytest.mark.parametrize(
    ("text", "given", "variables"),
    [
        ("ARG a", {}, {}),
        ("ARG a", {"a": "1"}, {"a": "1"}),
        ("ARG a=2", {}, {"a": "2"}),
        ("ARG a=2", {"a": "1"}, {"a": "1"}),
        ("ARG g", {}, {"g": "global"}),
        ("ARG g=2", {}, {"g": "2"}),
        ("ARG g=", {}, {"g": ""}),
        ("ARG a=1 b=$a", {}, {"a": "1", "b": "1"}),
        ("ARG a=1\nARG a=2", {}, {"a": "2"}),
        ("ARG a=1\nARG a", {}, {"a": "1"}),
        ("ARG g=1\nARG g", {}, {"g": "global"}),
        ("ENV a=1\nARG a=2 b=$a", {}, {"a": "1", "b": "1"}),
        ("ARG a=1\nENV a=2", {}, {"a": "2"}),
        ("ENV a=2\nARG a=1", {"a": "3"}, {"a": "2"}),
        ("ENV a=1\nENV b=2", {}, {"a": "1", "b": "2"}),
        ("", {"a": "1"}, {}),
        ("", {"http_proxy": "p"}, {"http_proxy": "p"}),
        ("ENV http_proxy=e", {"http_proxy": "p"}, {"http_proxy": "e"}),
    ],
)
def test_variables(text: str, given: dict[str, str], variables: dict[str, str]) -> None:
    scope = after(text, Scope(env={}, given=given, global_args=GlobalArgs({"g": "global", "h": "unused"})))
    assert scope.variables == variables


def test_an_image_has_the_last_word() -> None:
    assert after("ARG a=1", Scope(env={"a": "image"})).variables == {"a": "image"}


def test_what_a_run_is_remembered_with() -> None:
    scope = after("ARG b=1\nARG a\nENV b=2", Scope(env={}, given={"http_proxy": "secret"}))
    assert scope.run_args == {"b": "2", "a": ""}
    declared = after("ARG http_proxy", Scope(env={}, given={"http_proxy": "shown"}))
    assert declared.run_args == {"http_proxy": "shown"}


def test_names_that_nobody_declares() -> None:
    scope = after("ARG a", Scope(env={}))
    assert scope.undefined({"a", "b", "http_proxy", "A"}) == ["A", "b"]


def test_an_arg_that_cannot_be_expanded() -> None:
    with pytest.raises(DockerfileError) as caught:
        after("ARG a=1\nARG b=${c?no}", Scope(env={}))
    assert (caught.value.reason, caught.value.location) == ('failed to process "${c?no}": c: no', Location(3, 3))


def test_the_escape_sign() -> None:
    assert after("ARG a=`$b", Scope(env={}, escape="`")).variables == {"a": "$b"}


def test_args_that_nobody_asks_for() -> None:
    program = read_text("ARG a\nFROM x\nARG b\nENV c=1")
    given = dict.fromkeys(["a", "b", "d", "c", "HTTP_PROXY", "BUILDKIT_INLINE_CACHE", "SOURCE_DATE_EPOCH"], "1")
    names = unused_args(program, given)
    assert unused_args_warning(names) == "[Warning] One or more build-args [c d] were not consumed"
