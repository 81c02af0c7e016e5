from __future__ import annotations

from havre.volumes.claims import Claims


def test_the_last_one_is_told_and_only_once() -> None:
    claims = Claims()
    claims.add("one", "a")
    claims.add("one", "a")
    claims.add("one", "b")
    claims.add("two", "a")
    assert not claims.discard("one", "c")
    assert not claims.discard("one", "a")
    assert claims.of("one") == {"b"}
    assert claims.discard("one", "b")
    assert not claims.discard("one", "b")
    assert not claims.of("one")
    assert claims.of("two") == {"a"}
