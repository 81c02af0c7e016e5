from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.volumes.model import parse_name, parse_options


@pytest.mark.parametrize("name", ["ab", "a.b", "A-b_c.9", "0x", "a" * 255])
def test_names(name: str) -> None:
    assert parse_name(name) == name


@pytest.mark.parametrize("name", ["", "a", ".a", "-a", "a/b", "../x", "a b", "a\0", "a\n", "é1", "a" * 256])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidInput):
        parse_name(name)


@pytest.mark.parametrize(
    "options",
    [{}, {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, {"type": "none", "device": "/x", "o": "bind"}],
)
def test_options(options: dict[str, str]) -> None:
    assert parse_options("v", options) == options


@pytest.mark.parametrize("options", [{"nope": "1"}, {"type": "tmpfs"}, {"device": "/x"}, {"o": "bind"}])
def test_options_that_do_not_do(options: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="create v: "):
        parse_options("v", options)
