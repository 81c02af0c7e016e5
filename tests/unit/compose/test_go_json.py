"""The JSON of Go programs."""

from __future__ import annotations

import pytest

from havre.compose.go_json import go_json, plain
from havre.compose.model.limits import Ulimit
from havre.compose.model.values import Duration, Mode, Size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": (True, None)}, '{"a":[true,null],"b":1}'),
        ("a<b>&\u2028\x01\t", r'"a\u003cb\u003e\u0026\u2028\u0001\t"'),
        ("grüße", '"grüße"'),
        ((Size(1024), Duration(90 * 10**9), Mode(0o440)), '["1024","1m30s","0440"]'),
        ((0.1, 2.0, 1 / 3), "[0.1,2,0.33333334]"),
        ((Ulimit(5, 5, single=True), Ulimit(5, 5), Ulimit(0, 0, single=True)), '[5,{"soft":5,"hard":5},{}]'),
    ],
)  # fmt: skip
def test_text(value: object, text: str) -> None:
    assert go_json(plain(value)) == text
