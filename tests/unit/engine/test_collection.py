from __future__ import annotations

import pytest

from havre.engine.collection import Candidate, Policy, plan

DAY = 24 * 3600 * 10**9
NOW = 1000 * DAY
OLD, OLDER, NEW = Candidate("a", NOW - 10 * DAY, 5), Candidate("b", NOW - 20 * DAY, 7), Candidate("c", NOW - DAY, 9)


@pytest.mark.parametrize(
    ("policy", "free", "gone"),
    [
        (Policy(), 0, "bac"),
        (Policy(keep_days=5), 0, "ba"),
        (Policy(keep_days=15), 0, "b"),
        (Policy(keep_days=100), 0, ""),
        (Policy(keep_free_bytes=6), 0, "b"),
        (Policy(keep_free_bytes=8), 0, "ba"),
        (Policy(keep_free_bytes=8), 8, ""),
        (Policy(keep_days=5, keep_free_bytes=100), 0, "ba"),
    ],
)
def test_plans(policy: Policy, free: int, gone: str) -> None:
    assert "".join(one.image_id for one in plan([OLD, NEW, OLDER], policy, free, NOW)) == gone
