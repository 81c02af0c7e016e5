from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.wire.filters import encode_filters, parse_filters


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", {}),
        ("{}", {}),
        ("null", {}),
        ('{"label":{"a=b":true}}', {"label": {"a=b"}}),
        ('{"label":["a=b","c"]}', {"label": {"a=b", "c"}}),
        ('{"name":{"x":true,"y":false}}', {"name": {"x"}}),
        ('{"name":[]}', {"name": set()}),
        ('{"name":null}', {"name": set()}),
        ('{"status":{"exited":true},"label":["x"]}', {"status": {"exited"}, "label": {"x"}}),
    ],
)
def test_both_forms(text: str, meaning: dict[str, set[str]]) -> None:
    assert parse_filters(text) == meaning


@pytest.mark.parametrize(
    "text", ["[", "[]", "1", '"x"', '{"a":1}', '{"a":"b"}', '{"a":[1]}', '{"a":{"b":1}}', "[" * 9999]
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid filter"):
        parse_filters(text)


@given(st.dictionaries(st.text(), st.sets(st.text(), min_size=1)))
def test_what_is_written_is_read(filters: dict[str, set[str]]) -> None:
    assert parse_filters(encode_filters(filters)) == filters
