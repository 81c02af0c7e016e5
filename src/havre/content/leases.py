"""Leases: what work in progress needs, no sweep takes."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from havre.oci.digest import Digest


class Leases:
    """All leases of one store.

    They live in memory: work in progress ends with the process, and what it left behind is swept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[Digest] = Counter()
        self._sweep = threading.Lock()
        self._seen: set[Digest] | None = None

    def hold(self, digest: Digest) -> None:
        """Keep *digest* from every sweep until it is released as often as it was held."""
        with self._lock:
            self._held[digest] += 1
            if self._seen is not None:
                self._seen.add(digest)

    def release(self, digest: Digest) -> None:
        """The opposite of `hold`."""
        with self._lock:
            self._held[digest] -= 1
            if self._held[digest] <= 0:
                del self._held[digest]

    def unless_held(self, digest: Digest, act: Callable[[], None]) -> bool:
        """Call *act*, with no lease able to begin meanwhile, unless *digest* is held. Tells whether it was called."""
        with self._lock:
            if digest in self._held or (self._seen is not None and digest in self._seen):
                return False
            act()
            return True

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """Inside, whatever was held at any moment since the beginning counts as held.

        So a lease may end between the sweep's look at the records and its removals: the record that was
        written under the lease is missing from that look, and yet its content stays.
        """
        with self._sweep:
            with self._lock:
                self._seen = set(self._held)
            try:
                yield
            finally:
                with self._lock:
                    self._seen = None


class Lease:
    """The blobs that one piece of work needs; a context manager that releases them at its end."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._mine: list[Digest] = []

    def hold(self, digest: Digest) -> None:
        """Keep *digest* until the lease ends, whether it is stored already or not yet."""
        self._leases.hold(digest)
        self._mine.append(digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._mine:
            self._leases.release(self._mine.pop())
