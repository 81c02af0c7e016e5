"""What pushes that are under way count on, though no manifest names it yet: collection asks here before it takes."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from havre.oci.digest import Digest


@dataclass(slots=True)
class _Upload:
    name: str
    began: float
    moved: float


class Needs:
    """The moments at which clients last counted on a blob, and the uploads that run; in memory, of one process.

    A blob is needed for *grace_s* after a client stored it, mounted it or was told that it is there. While an
    upload of its repository moves on, that time does not pass: a push may take days, so long as it moves. What
    happened before the process began counts as happening at its beginning.
    """

    def __init__(self, grace_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace_s = grace_s
        self._clock = clock
        self._lock = threading.Lock()
        self._start = clock()
        self._touched: dict[tuple[str, Digest], float] = {}
        self._uploads: dict[str, _Upload] = {}

    def touch(self, name: str, digest: Digest) -> None:
        """A client counts on *digest* in the repository *name*; call before looking whether it is there."""
        with self._lock:
            self._touched[name, digest] = self._clock()

    def upload_moved(self, name: str, key: str) -> None:
        """The upload *key* began or received bytes."""
        now = self._clock()
        with self._lock:
            upload = self._uploads.setdefault(key, _Upload(name, now, now))
            upload.moved = now

    def upload_ended(self, key: str) -> None:
        """The upload became a blob or was given up."""
        with self._lock:
            self._uploads.pop(key, None)

    def unless_needed(
        self, name: str, digests: Iterable[Digest], act: Callable[[Sequence[Digest]], list[Digest]]
    ) -> list[Digest]:
        """Call *act* with those of *digests* that nobody needs; nobody's need can begin meanwhile."""
        with self._lock:
            horizon = self._horizon(name)
            free = [digest for digest in digests if self._touched.get((name, digest), self._start) < horizon]
            return act(free) if free else []

    def forget_old(self) -> None:
        """Drop the moments that no longer matter."""
        with self._lock:
            horizons = {name: self._horizon(name) for name, _ in self._touched}
            self._touched = {key: at for key, at in self._touched.items() if at >= horizons[key[0]]}
            oldest = self._clock() - self._grace_s
            self._uploads = {key: upload for key, upload in self._uploads.items() if upload.moved >= oldest}

    def _horizon(self, name: str) -> float:
        """What was touched before this moment is no longer needed."""
        now = self._clock()
        running = [
            upload.began
            for upload in self._uploads.values()
            if upload.name == name and upload.moved >= now - self._grace_s
        ]
        return min([now, *running]) - self._grace_s
