"""What pushes count on, under a clock of ours."""

from __future__ import annotations

from havre.oci.digest import Digest
from havre.registry.server.needs import Needs

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def free(needs: Needs, name: str = "a") -> list[Digest]:
    return needs.unless_needed(name, [ONE, TWO], list)


def test_a_blob_is_needed_for_the_time_of_grace() -> None:
    clock = Clock()
    needs = Needs(60, clock)
    assert free(needs) == []  # whoever pushed before the start may go on now
    clock.now += 61
    needs.touch("a", ONE)
    assert free(needs) == [TWO]
    assert free(needs, "b") == [ONE, TWO]
    clock.now += 61
    assert free(needs) == [ONE, TWO]


def test_time_stands_still_while_an_upload_moves() -> None:
    clock = Clock()
    needs = Needs(60, clock)
    clock.now += 100
    needs.touch("a", ONE)
    needs.upload_moved("a", "upload")
    for _ in range(100):
        clock.now += 50
        needs.upload_moved("a", "upload")
        needs.forget_old()
    assert free(needs) == [TWO]
    needs.upload_ended("upload")
    assert free(needs) == [ONE, TWO]


def test_an_upload_that_stands_still_holds_nothing() -> None:
    clock = Clock()
    needs = Needs(60, clock)
    clock.now += 100
    needs.touch("a", ONE)
    needs.upload_moved("a", "upload")
    clock.now += 61
    assert free(needs) == [ONE, TWO]


def test_what_is_old_is_forgotten() -> None:
    clock = Clock()
    needs = Needs(60, clock)
    needs.touch("a", ONE)
    clock.now += 1000
    needs.forget_old()
    assert needs._touched == {}
    assert free(needs) == [ONE, TWO]


def test_nothing_free_means_nothing_done() -> None:
    def never(digests: object) -> list[Digest]:
        raise AssertionError(digests)

    assert Needs(60, Clock()).unless_needed("a", [ONE], never) == []
