from __future__ import annotations

import pytest

from havre.build.dockerfile.quoting import quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", '"a b"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("\n\t\r", r'"\n\t\r"'),
        ("\x00\x7f", r'"\x00\x7f"'),
        ("é안", '"é안"'),
        ("\u200b", r'"\u200b"'),
        ("\U000e0001", r'"\U000e0001"'),
    ],
)
def test_as_go_quotes(text: str, shown: str) -> None:
    assert quoted(text) == shown
