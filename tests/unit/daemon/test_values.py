from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.daemon.values import Pool, Ulimit, parse_bytes, parse_pool, parse_ulimit


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("64m", 64 << 20),
        ("64M", 64 << 20),
        ("64MiB", 64 << 20),
        ("64mb", 64 << 20),
        ("1.5k", 1536),
        ("2 g", 2 << 30),
        (77, 77),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_bytes(text, "size") == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1.m", "0x10", "1_0", "٣", "9" * 30, -1])
def test_what_is_no_size(text: str | int) -> None:
    with pytest.raises(InvalidInput):
        parse_bytes(text, "size")


def test_ulimits() -> None:
    assert parse_ulimit("nofile=1:2") == Ulimit("nofile", 1, 2)
    assert parse_ulimit("core=0") == Ulimit("core", 0, 0)
    assert parse_ulimit("memlock=-1:-1") == Ulimit("memlock", -1, -1)
    with pytest.raises(InvalidInput):
        parse_ulimit({"Name": "x"})


def test_pools() -> None:
    assert parse_pool("base=10.0.0.0/8,size=24") == Pool("10.0.0.0/8", 24)
    assert parse_pool({"base": "10.0.0.0/8", "size": 24}) == Pool("10.0.0.0/8", 24)
    with pytest.raises(InvalidInput):
        parse_pool({"base": 1})
