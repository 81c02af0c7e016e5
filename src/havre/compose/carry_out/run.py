"""Runs steps on threads, each as soon as those it waits for are done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from havre.client.errors import ClientError
from havre.compose.errors import ComposeError, Failed
from havre.compose.plan.steps import Step, Wait

DEFAULT_PARALLEL = 24


class Cancelled(Exception):
    """The plan is being given up; a step that waited has stopped."""


class Cancel:
    """The sign that a plan is given up: a step failed, or the user wants no more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.given_up = False

    def give_up(self) -> None:
        """From now on nothing new begins."""
        self.given_up = True
        self.wake()

    def wake(self) -> None:
        """Let all that pause ask again whether what they wait for is so."""
        with self._changed:
            self._changed.notify_all()

    def pause(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Wait *seconds*, or *until* something is so; raise Cancelled when given up meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self.given_up or until(), seconds)
        if self.given_up:
            raise Cancelled


def run_steps(
    steps: Sequence[Step], perform: Callable[[Step], None], cancel: Cancel, *, parallel: int = DEFAULT_PARALLEL
) -> None:
    """Perform every step; at most *parallel* at once, those that only wait not counted.

    After the first failure nothing new begins, what runs is awaited, and the failure is raised. KeyboardInterrupt
    gives up in the same way and goes on up.
    """
    run = _Run(steps, perform, cancel, parallel)
    try:
        run.to_the_end()
    except KeyboardInterrupt:
        cancel.give_up()
        run.drain()
        raise
    _raise_first(run.failures)
    if run.waiting and not cancel.given_up:
        raise ComposeError(f"steps wait for each other: {', '.join(sorted(run.waiting))}")


class _Run:
    def __init__(self, steps: Sequence[Step], perform: Callable[[Step], None], cancel: Cancel, parallel: int) -> None:
        self._perform, self._cancel = perform, cancel
        self._room = threading.Semaphore(parallel)
        self._ended: queue.SimpleQueue[tuple[str, Exception | None]] = queue.SimpleQueue()
        self._done: set[str] = set()
        self._running: set[str] = set()
        self.waiting = {step.key: step for step in steps}
        self.failures: list[Exception] = []

    def to_the_end(self) -> None:
        """Until nothing runs and nothing can begin."""
        while True:
            if not self._cancel.given_up:
                self._begin([step for step in self.waiting.values() if step.after <= self._done])
            if not self._running:
                return
            self._await_one()

    def drain(self) -> None:
        """Until nothing runs."""
        while self._running:
            self._await_one()

    def _begin(self, ready: list[Step]) -> None:
        for step in ready:
            del self.waiting[step.key]
            self._running.add(step.key)
            threading.Thread(target=self._work, args=(step,), name=step.key, daemon=True).start()

    def _await_one(self) -> None:
        key, error = self._ended.get()
        self._running.discard(key)
        if error is None:
            self._done.add(key)
            return
        self.failures.append(error)
        self._cancel.give_up()

    def _work(self, step: Step) -> None:
        try:
            if isinstance(step.act, Wait):
                self._perform(step)
            else:
                with self._room:
                    self._cancel.pause(0)
                    self._perform(step)
        except Exception as error:  # noqa: BLE001  handed to the thread that waits for it
            self._ended.put((step.key, error))
        else:
            self._ended.put((step.key, None))


def _raise_first(failures: list[Exception]) -> None:
    for error in failures:
        if not isinstance(error, Cancelled):
            if isinstance(error, ClientError):
                raise Failed(str(error)) from error
            raise error
