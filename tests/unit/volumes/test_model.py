from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.volumes.model import Volume, parse_name, parse_options, parse_size


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


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("8m", 8 << 20), ("8388608", 8 << 20), ("1G", 1 << 30), ("10GiB", 10 << 30), ("2tb", 2 << 40), ("9000k", 8 << 20)],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_size("v", text) == size_bytes


@pytest.mark.parametrize("text", ["", "8", "7m", "-8m", "8.5g", " 8m", "8m\n", "1_000m", "٨m", "9" * 16, "99999p"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="create v: invalid size"):
        parse_size("v", text)


def test_what_is_mounted_and_what_is_foreign() -> None:
    kinds = [{}, {"size": "8m"}, {"type": "tmpfs", "device": "tmpfs"}]
    made = [Volume(name="v", created_ns=0, options=options) for options in kinds]
    assert [(one.mounts, one.foreign, one.limit_bytes) for one in made] == [
        (False, False, 0),
        (True, False, 8 << 20),
        (True, True, 0),
    ]
