"""Two trees side by side: what counts as a difference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.snapshots.comparing import differences

SECOND_NS = 1_000_000_000


def compared(expected: Path, found: Path) -> list[str]:
    handles = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY) for folder in (expected, found)]
    try:
        return list(differences(*handles))
    finally:
        for handle in handles:
            os.close(handle)


@pytest.mark.parametrize(
    ("expected_ns", "found_ns", "same"),
    [
        (5 * SECOND_NS, 5 * SECOND_NS, True),
        (5 * SECOND_NS, 5 * SECOND_NS + 123, True),
        (5 * SECOND_NS + 123, 5 * SECOND_NS, False),
        (5 * SECOND_NS + 123, 5 * SECOND_NS + 124, False),
        (5 * SECOND_NS, 6 * SECOND_NS, False),
    ],
)
def test_times(tmp_path: Path, expected_ns: int, found_ns: int, same: bool) -> None:  # noqa: FBT001
    for name, time_ns in (("a", expected_ns), ("b", found_ns)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text("x")
        os.utime(tmp_path / name / "f", ns=(time_ns, time_ns))
    assert compared(tmp_path / "a", tmp_path / "b") == ([] if same else ["/f was changed at another time"])
