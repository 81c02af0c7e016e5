from __future__ import annotations

import pytest

from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.origins import (
    ContextOrigin,
    EmptyOrigin,
    ImageOrigin,
    Origin,
    Origins,
    StageOrigin,
    find_target,
    named_origins,
)
from havre.build.dockerfile.program import read_text

PROGRAM = read_text("FROM a AS one\nFROM b\nFROM c AS two\nFROM d AS one\nFROM e AS last")
ORIGINS = Origins(PROGRAM.stages, ["alpine", "docker.io/library/debian:12", "two", "My Context", "scratch", "Context"])


@pytest.mark.parametrize(
    ("name", "stage", "origin"),
    [
        ("one", 1, StageOrigin(0)),
        ("ONE", 1, StageOrigin(0)),
        ("one", 4, StageOrigin(3)),
        ("one", 0, ImageOrigin("one")),
        ("0", 2, ImageOrigin("0")),
        ("scratch", 2, EmptyOrigin()),
        ("alpine", 2, ContextOrigin("alpine")),
        ("alpine:latest", 2, ContextOrigin("alpine")),
        ("docker.io/library/alpine", 2, ContextOrigin("alpine")),
        ("alpine:3", 2, ImageOrigin("alpine:3")),
        ("debian:12", 2, ContextOrigin("docker.io/library/debian:12")),
        ("two", 4, ContextOrigin("two")),
        ("my context", 4, ContextOrigin("My Context")),
        ("context", 4, ImageOrigin("context")),
    ],
)
def test_bases(name: str, stage: int, origin: Origin) -> None:
    assert ORIGINS.base(name, stage) == origin


@pytest.mark.parametrize(
    ("name", "stage", "origin"),
    [
        ("0", 2, StageOrigin(0)),
        ("one", 2, StageOrigin(0)),
        ("alpine", 0, ContextOrigin("alpine")),
        ("busybox", 0, ImageOrigin("busybox")),
        ("scratch", 0, EmptyOrigin()),
    ],
)
def test_sources(name: str, stage: int, origin: Origin) -> None:
    assert ORIGINS.source(name, stage) == origin


@pytest.mark.parametrize(
    ("name", "stage", "reason"),
    [
        ("9", 2, "invalid stage index 9"),
        ("9" * 20, 2, f"invalid stage index {'9' * 20}"),
        ("2", 2, "circular dependency detected on stage: two"),
        ("one", 0, "circular dependency detected on stage: one"),
        ("1", 1, "circular dependency detected on stage: stage-1"),
        (
            "last",
            2,
            'cannot copy from stage "last", it needs to be defined before current stage "two"',
        ),
        ("4", 1, 'cannot copy from stage "4", it needs to be defined before current stage "stage-1"'),
    ],
)
def test_sources_that_cannot_be(name: str, stage: int, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        ORIGINS.source(name, stage)
    assert caught.value.reason == reason


def test_images_have_names() -> None:
    assert str(ImageOrigin("a").reference) == "docker.io/library/a:latest"
    with pytest.raises(DockerfileError, match=r'^failed to parse stage name "a b": invalid reference format$'):
        _ = ImageOrigin("a b").reference


@pytest.mark.parametrize(("name", "index"), [("", 4), ("one", 3), ("TWO", 2), ("1", 1), ("0", 0)])
def test_targets(name: str, index: int) -> None:
    assert find_target(PROGRAM, name).index == index


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tow", 'target stage "tow" could not be found (did you mean two?)'),
        ("9", 'target stage "9" could not be found'),
        ("nothing", 'target stage "nothing" could not be found'),
    ],
)
def test_no_targets(name: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        find_target(PROGRAM, name)
    assert caught.value.reason == reason


def test_names_in_a_stage() -> None:
    text = "FROM a\nCOPY --from=b c d\nCOPY c d\nRUN --mount=from=e --mount=target=$x,from=f --mount=target=g h\nCMD i"
    assert list(named_origins(read_text(text).stages[0])) == [
        ("b", Location(2, 2)),
        ("e", Location(4, 4)),
        ("f", Location(4, 4)),
    ]
