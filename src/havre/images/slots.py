"""How many transfers run at once."""

import asyncio
from collections.abc import Callable


class Slots:
    """As many at once as *limit* says. When it comes to say something else, what begins from then on heeds that."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._size = 0
        self._gate = asyncio.Semaphore(0)

    @property
    def gate(self) -> asyncio.Semaphore:
        """What a transfer holds as long as it lasts."""
        size = max(1, self._limit())
        if size != self._size:
            self._size, self._gate = size, asyncio.Semaphore(size)
        return self._gate
