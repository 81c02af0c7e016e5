"""Accept and If-None-Match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.registry.server.negotiate import matches_etag, parse_accept

TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["*/*"],
        ["application/*"],
        [TYPE],
        [f"text/html, {TYPE};q=0.5"],
        ["text/html", TYPE.upper()],
        [f"{TYPE};q=1"],
    ],
)
def test_headers_that_take_a_manifest(headers: list[str]) -> None:
    assert parse_accept(headers).takes(TYPE)


@pytest.mark.parametrize("headers", [["text/html"], [f"text/html, {TYPE};q=0"], [f"text/html,{TYPE}; q=0.000"]])
def test_headers_that_do_not(headers: list[str]) -> None:
    assert not parse_accept(headers).takes(TYPE)


@given(st.lists(st.text(max_size=100), max_size=5))
def test_any_header_is_read(headers: list[str]) -> None:
    parse_accept(headers).takes(TYPE)


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ("*", True),
        ('"a"', True),
        ("a", True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"b"', False),
        ("", False),
        ('"aa"', False),
    ],
)
def test_tags_of_what_a_client_has(header: str, match: bool) -> None:  # noqa: FBT001  a column of the table
    assert matches_etag(header, "a") is match
