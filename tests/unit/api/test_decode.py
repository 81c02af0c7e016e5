"""A-04: every field of every request with every wrong value."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from havre.api.decode import read_json
from havre.api.request import Body, Request
from havre.api.status import BodyTooLarge
from havre.base.errors import InvalidInput
from havre.wire.containers import CreateContainer
from havre.wire.exec import ExecConfig, ExecStart

SHAPES = [CreateContainer, ExecConfig, ExecStart]
WRONG = {
    "huge": b"123456789012345678901234567890",
    "NaN": b"NaN",
    "infinity": b"Infinity",
    "float": b"1.5",
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "unicode digit": '"\u0661"'.encode(),
    "NUL": b'"a\\u0000b"',
    "lone surrogate": b'"\\ud800"',
    "broken UTF-8": b'"\xff"',
    "list of wrong": b"[1, null, {}]",
    "object of wrong": b'{"a": [1], "b": 2.5}',
    "true": b"true",
    "text": b'"text"',
    "negative": b"-1",
}


def read(kind: type, body: bytes, content_type: str = "application/json", *, required: bool = False) -> Any:
    async def run() -> Any:
        given = Body(lambda: None, lambda: None, lambda: None)
        if body:
            given.put([body])
        given.finish()
        fields = {"content-type": content_type} if content_type else {}
        return await read_json(Request("POST", b"/", fields, given), kind, required=required)

    return asyncio.run(run())


def paths(shape: Any, depth: int = 0) -> Iterator[tuple[list[str], Any]]:
    for name, hint in typing.get_type_hints(shape).items():
        yield [name], hint
        for part in typing.get_args(hint):
            if typing.is_typeddict(part) and depth < 3:
                for path, inner in paths(part, depth + 1):
                    yield [name, *path], inner


FIELDS = [(shape, path, hint) for shape in SHAPES for path, hint in paths(shape)]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_refused_or_of_the_right_type(wrong: bytes) -> None:
    for shape, path, hint in FIELDS:
        body = wrong
        for name in reversed(path):
            body = b'{"%b":%b}' % (name.encode(), body)
        try:
            value = read(shape, body)
        except InvalidInput:
            continue
        for name in path:
            value = value[name]
        msgspec.convert(value, hint)
        assert not isinstance(value, int) or -(2**63) <= value < 2**63
        assert "\0" not in str(value)


@pytest.mark.parametrize("shape", SHAPES)
def test_null_is_an_empty_object(shape: type) -> None:
    assert read(shape, b"null") == {}
    assert read(shape, b" {} ") == {}


def test_an_empty_body() -> None:
    assert read(ExecStart, b"", "") == {}
    with pytest.raises(InvalidInput, match="got EOF while reading request body"):
        read(CreateContainer, b"", "", required=True)


@pytest.mark.parametrize("content_type", ["text/plain", "application/json2", "application/octet-stream"])
def test_only_json_is_json(content_type: str) -> None:
    with pytest.raises(InvalidInput, match="unsupported Content-Type header"):
        read(ExecStart, b"{}", content_type)


def test_a_body_needs_a_content_type() -> None:
    with pytest.raises(InvalidInput, match="malformed Content-Type header"):
        read(ExecStart, b"{}", "")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_by_any_spelling(content_type: str) -> None:
    assert read(ExecStart, b'{"Tty":true}', content_type) == {"Tty": True}


def test_one_text_stands_for_a_list() -> None:
    wanted = read(CreateContainer, b'{"Cmd":"date","Entrypoint":"sh","Image":"x"}')
    assert wanted == {"Cmd": ["date"], "Entrypoint": ["sh"], "Image": "x"}


def test_the_text_u0000_is_no_nul() -> None:
    assert read(ExecConfig, rb'{"Cmd":["printf","\\u0000"]}') == {"Cmd": ["printf", "\\u0000"]}


@pytest.mark.parametrize("body", [b"{", b"{}}", b"{} {}", b"[]", b'"x"', b"1", b"\xff", b'{"Tty":true,}'])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="invalid JSON"):
        read(ExecStart, body)


def test_a_document_has_a_limit() -> None:
    with pytest.raises(BodyTooLarge):
        read(ExecStart, b" " * (4 << 20) + b"{}")


def test_the_case_of_field_names_does_not_matter() -> None:
    body = b'{"detachKeys": "ctrl-x", "cmd": "date", "ENV": ["a=b"]}'
    assert read(ExecConfig, body) == {"DetachKeys": "ctrl-x", "Cmd": ["date"], "Env": ["a=b"]}
    nested = b'{"hostConfig": {"memory": 5, "logConfig": {"type": "none"}}, "Labels": {"memory": "kept"}}'
    wanted = {"HostConfig": {"Memory": 5, "LogConfig": {"Type": "none"}}, "Labels": {"memory": "kept"}}
    assert read(CreateContainer, nested) == wanted
    capitals = b'{"HostConfig": {"CPURealtimePeriod": 1000}}'
    assert read(CreateContainer, capitals) == {"HostConfig": {"CpuRealtimePeriod": 1000}}
