"""The access log: no client writes a line of its own into it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from havre.registry.server.http.access_log import clean


@given(st.text())
def test_a_line_stays_a_line(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable()
    assert '"' not in shown.replace('\\"', "")


def test_forgeries() -> None:
    assert clean('a" 200\n127.0.0.1') == 'a\\" 200\\x0a127.0.0.1'
    assert clean("\x1b[31m") == "\\x1b[31m"
