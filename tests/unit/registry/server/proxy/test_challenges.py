"""WWW-Authenticate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from havre.registry.server.proxy.challenges import parse_challenge


def test_challenges() -> None:
    found = parse_challenge('Bearer realm="https://auth.invalid/token",service="a, b", scope="repository:x:pull,push"')
    assert found.scheme == "bearer"
    assert found.fields == {"realm": "https://auth.invalid/token", "service": "a, b", "scope": "repository:x:pull,push"}
    assert parse_challenge('BASIC Realm="a \\"b\\""').fields == {"realm": 'a "b"'}
    assert parse_challenge("Bearer realm=x , service=y").fields == {"realm": "x", "service": "y"}
    assert parse_challenge("").scheme == ""


@given(st.text(max_size=5000))
def test_any_text_is_read(text: str) -> None:
    parse_challenge(text)


def test_a_long_header_takes_no_long_time() -> None:
    parse_challenge("Bearer " + 'a="\\' * 100_000)
    parse_challenge("Bearer " + "a" * 100_000 + "=")
