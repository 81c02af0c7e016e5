"""Leases count, and nothing is taken between a look and an act."""

from __future__ import annotations

from havre.content.leases import Lease, Leases
from havre.oci.digest import Digest

ONE = Digest.of(b"one")


def free(leases: Leases) -> bool:
    called: list[bool] = []
    answer = leases.unless_held(ONE, lambda: called.append(True))
    assert answer == bool(called)
    return answer


def test_held_as_often_as_not_released() -> None:
    leases = Leases()
    with Lease(leases) as first, Lease(leases) as second:
        first.hold(ONE)
        second.hold(ONE)
        second.hold(ONE)
        assert not free(leases)
    assert free(leases)


def test_a_sweep_remembers_leases_that_end_or_begin_in_it() -> None:
    leases = Leases()
    leases.hold(ONE)
    with leases.sweeping():
        leases.release(ONE)
        assert not free(leases)
    assert free(leases)
    with leases.sweeping():
        leases.hold(ONE)
        leases.release(ONE)
        assert not free(leases)
    assert free(leases)
