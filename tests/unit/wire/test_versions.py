from __future__ import annotations

import pytest

from havre.wire.versions import MAX_API, MIN_API, parse


def test_order() -> None:
    oldest, newest = parse(MIN_API), parse(MAX_API)
    assert oldest is not None
    assert newest is not None
    assert oldest < (1, 41) < newest


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "1.2.3", "a.b", "1.x", "1.\u0660", "-1.2", "1.1234"])
def test_what_is_no_version(text: str) -> None:
    assert parse(text) is None
