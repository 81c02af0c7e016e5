"""Those who wait for a container: for its next end, or for it to be gone."""

import asyncio

from havre.wire.containers import WaitResponse

Answer = asyncio.Future[WaitResponse]


class Endings:
    """The waiters of one container. A waiter that is cancelled is forgotten at once."""

    def __init__(self) -> None:
        self._exits: set[Answer] = set()
        self._removals: set[Answer] = set()

    def next_exit(self) -> Answer:
        """Done when the container ends the next time, or is removed before."""
        return _enter(self._exits)

    def removal(self) -> Answer:
        """Done when the container is gone."""
        return _enter(self._removals)

    def exited(self, code: int) -> None:
        """Tell those who wait for the end."""
        _answer(self._exits, {"StatusCode": code})

    def removed(self, code: int) -> None:
        """Tell everyone: nothing more will come."""
        self.exited(code)
        _answer(self._removals, {"StatusCode": code})

    def remove_failed(self, code: int, message: str) -> None:
        """Tell those who wait for the removal that it did not happen."""
        _answer(self._removals, {"StatusCode": code, "Error": {"Message": message}})


def _enter(waiters: set[Answer]) -> Answer:
    answer: Answer = asyncio.get_running_loop().create_future()
    waiters.add(answer)
    answer.add_done_callback(waiters.discard)
    return answer


def answered(code: int) -> Answer:
    """For a question whose answer is known."""
    answer: Answer = asyncio.get_running_loop().create_future()
    answer.set_result({"StatusCode": code})
    return answer


def _answer(waiters: set[Answer], response: WaitResponse) -> None:
    for waiter in list(waiters):
        if not waiter.done():
            waiter.set_result(response)
