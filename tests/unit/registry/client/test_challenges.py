from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.registry.client.challenges import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ('Basic realm="x"', (Challenge("basic", {"realm": "x"}),)),
        (
            'Bearer realm="https://a/token",service="s",scope="repository:a/b:pull,push"',
            (Challenge("bearer", {"realm": "https://a/token", "service": "s", "scope": "repository:a/b:pull,push"}),),
        ),
        (
            'Basic realm=x, Bearer realm="y" , service = z',
            (Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y", "service": "z"})),
        ),
        ("Negotiate, Basic realm=x", (Challenge("negotiate", {}), Challenge("basic", {"realm": "x"}))),
        (r'Basic realm="a \"quoted\" one"', (Challenge("basic", {"realm": 'a "quoted" one'}),)),
        ('Basic realm="never closed', (Challenge("basic", {}),)),
        ("realm=x", ()),
    ],
)
def test_headers(text: str, found: tuple[Challenge, ...]) -> None:
    assert parse_challenges(text) == found


@given(st.text(alphabet='Basic realm="\\, x', max_size=2000))
def test_any_text(text: str) -> None:
    parse_challenges(text)


def test_long_texts_take_no_time() -> None:
    began = time.thread_time()
    for sign in ('"', "\\", "=", ",", " ", "a"):
        parse_challenges("Basic realm=" + sign * 1_000_000)
    assert time.thread_time() - began < 5
