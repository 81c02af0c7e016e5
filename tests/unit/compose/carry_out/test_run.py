"""Steps on threads: order, failures, giving up."""

from __future__ import annotations

import threading

import pytest

from havre.client.errors import ClientError
from havre.compose.carry_out.run import Cancel, Cancelled, run_steps
from havre.compose.errors import ComposeError, Failed
from havre.compose.plan.steps import RemoveVolume, Step, Wait


def step(key: str, *after: str) -> Step:
    return Step(key, RemoveVolume(key), frozenset(after))


def test_what_waits_comes_after() -> None:
    done: list[str] = []
    steps = [step("c", "a", "b"), step("b", "a"), step("a"), step("d", "c")]
    run_steps(steps, lambda one: done.append(one.key), Cancel())
    assert done == ["a", "b", "c", "d"]


def test_independent_steps_run_side_by_side() -> None:
    both = threading.Barrier(2)

    def perform(_: Step) -> None:
        both.wait(10)

    run_steps([step("a"), step("b")], perform, Cancel())


def test_at_most_so_many_at_once_and_those_that_wait_do_not_count() -> None:
    running: list[str] = []
    most: list[int] = []
    lock, enough = threading.Lock(), threading.Event()

    def perform(one: Step) -> None:
        if isinstance(one.act, Wait):
            enough.wait(10)
            return
        with lock:
            running.append(one.key)
            most.append(len(running))
        with lock:
            running.remove(one.key)
            if len(most) == 20:
                enough.set()

    waits = [Step(f"w{i}", Wait(str(i), "x")) for i in range(5)]
    run_steps([*waits, *(step(str(i)) for i in range(20))], perform, Cancel(), parallel=2)
    assert max(most) <= 2


def test_after_a_failure_nothing_new_begins() -> None:
    done: list[str] = []

    def perform(one: Step) -> None:
        if one.key == "a":
            raise ClientError("no")
        done.append(one.key)

    with pytest.raises(Failed, match="no"):
        run_steps([step("a"), step("b", "a"), step("c", "b")], perform, Cancel())
    assert done == []


def test_a_wait_stops_when_another_step_fails() -> None:
    cancel = Cancel()
    began = threading.Event()

    def perform(one: Step) -> None:
        if isinstance(one.act, Wait):
            began.set()
            cancel.pause(60)
        began.wait(10)
        raise Failed("broken")

    with pytest.raises(Failed, match="broken"):
        run_steps([Step("w", Wait("w", "x")), step("a")], perform, cancel)


def test_giving_up_is_seen() -> None:
    cancel = Cancel()
    cancel.give_up()
    with pytest.raises(Cancelled):
        cancel.pause(0)
    run_steps([step("a")], lambda _: pytest.fail("nothing may begin"), cancel)


def test_steps_that_wait_for_each_other_are_an_error() -> None:
    with pytest.raises(ComposeError, match="steps wait for each other: a, b"):
        run_steps([step("a", "b"), step("b", "a")], lambda _: None, Cancel())
