from __future__ import annotations

from havre.engine.probe_family import Kin, Marks, family

NONE: frozenset[str] = frozenset()
MARKS = Marks(10, frozenset({"pipe:[7]"}))


def test_descent_session_and_output_tell_who_belongs_to_a_probe() -> None:
    kin = {
        1: Kin(0, 1, frozenset({"pipe:[1]"})),
        10: Kin(1, 10, frozenset({"pipe:[7]"})),
        11: Kin(10, 11, NONE),  # a child with a session of its own
        12: Kin(11, 12, NONE),  # and its child
        13: Kin(1, 10, NONE),  # an orphan of the session
        14: Kin(1, 14, frozenset({"pipe:[7]"})),  # an orphan of no session that still holds the output
        15: Kin(1, 15, frozenset({"pipe:[9]"})),
        16: Kin(15, 15, NONE),
    }
    assert family(MARKS, kin) == {10, 11, 12, 13, 14}


def test_a_leader_that_is_gone_is_not_among_them() -> None:
    assert family(MARKS, {14: Kin(1, 14, frozenset({"pipe:[7]"}))}) == {14}
    assert family(Marks(10, NONE), {14: Kin(1, 14, NONE)}) == set()
