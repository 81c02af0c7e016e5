"""Signals by name and number."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.runtime.oci_cli.kill import signal_number


@pytest.mark.parametrize(
    ("word", "number"),
    [("9", 9), ("KILL", 9), ("SIGKILL", 9), ("sigterm", 15), ("0", 0), ("RTMIN+3", 37), ("SIGRTMAX", 64), ("999", 999)],
)
def test_signals(word: str, number: int) -> None:
    assert signal_number(word) == number


@pytest.mark.parametrize("word", ["BOGUS", "", "-9", "+9", "1_0", "٩", "KILL+1", "RTMIN+99", "9999", "SIG"])
def test_what_is_no_signal(word: str) -> None:
    with pytest.raises(InvalidInput, match="unknown signal"):
        signal_number(word)
