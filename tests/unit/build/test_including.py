"""INCLUDE puts the instructions of another file in its place, and only where the syntax line asks for it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.parser import parse
from havre.build.including import with_included

HEAD = "# syntax=havre/dockerfile:1\n"


def texts(text: str, files: Mapping[str, str], given: Mapping[str, str] | None = None) -> list[str]:
    document = with_included(parse(text), lambda path: files[path].encode() if path in files else None, given or {})
    return [node.text for node in document.nodes]


def test_instructions_take_its_place() -> None:
    files = {"common": "# a comment\nRUN one\nRUN two\n", "last": "CMD x\n"}
    assert texts(f"{HEAD}FROM a\nINCLUDE common\ninclude last\n", files) == ["FROM a", "RUN one", "RUN two", "CMD x"]


def test_files_include_others() -> None:
    files = {"a": "RUN a\nINCLUDE b\n", "b": "RUN b\n"}
    assert texts(f"{HEAD}FROM x\nINCLUDE a\n", files) == ["FROM x", "RUN a", "RUN b"]


def test_the_path_sees_what_stands_above() -> None:
    files = {"py/3.12": "RUN twelve\n", "py/3.11": "RUN eleven\n"}
    text = f"{HEAD}ARG V=3.11\nFROM x\nENV D=py\nINCLUDE $D/${{V}}\n"
    assert texts(text, files)[-1] == "RUN eleven"
    assert texts(text, files, {"V": "3.12"})[-1] == "RUN twelve"


def test_an_included_file_may_hold_args_of_later_paths() -> None:
    files = {"versions": "ARG V=2\n", "v2": "RUN two\n"}
    assert texts(f"{HEAD}FROM x\nINCLUDE versions\nINCLUDE v$V\n", files)[-1] == "RUN two"


def test_without_the_syntax_line_it_stays_as_it_is() -> None:
    assert texts("FROM x\nINCLUDE a\n", {"a": "RUN a\n"}) == ["FROM x", "INCLUDE a"]
    assert texts("# syntax=docker/dockerfile:1\nFROM x\nINCLUDE a\n", {"a": "RUN a\n"})[-1] == "INCLUDE a"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "line 3: INCLUDE a: no such file"),
        ({"a": "INCLUDE a\n"}, "includes itself: a -> a"),
        ({"a": "INCLUDE b\n", "b": "INCLUDE a\n"}, "includes itself"),
        ({"a": ""}, "a: "),
    ],
)
def test_what_cannot_be(files: dict[str, str], reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason):
        texts(f"{HEAD}FROM x\nINCLUDE a\n", files)


def test_the_line_is_that_of_the_instruction() -> None:
    document = with_included(parse(f"{HEAD}FROM x\n\nINCLUDE a\n"), lambda _: b"RUN 1\nRUN 2\n", {})
    assert [node.location.first for node in document.nodes] == [2, 4, 4]
