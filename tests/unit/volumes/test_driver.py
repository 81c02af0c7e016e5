from __future__ import annotations

import pytest

from havre.volumes.driver import split_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, "")),
        ("size=1m,uid=5", (0, "size=1m,uid=5")),
        ("ro,nosuid", (3, "")),
        ("bind", (4096, "")),
        ("rbind,rw", (4096 | 16384, "")),
        ("addr=h,nfsvers=4,noatime", (1024, "addr=h,nfsvers=4")),
    ],
)
def test_flags_and_the_rest(text: str, expected: tuple[int, str]) -> None:
    assert split_options(text) == expected
