"""What unfinished work still wants: blobs that arrived, or arrived in part, and that no record names yet.

Each piece of work has a small file here from before its first byte until it ended. A process that dies leaves
the file, so that the next attempt finds what has come; after a day nobody waits any more.
"""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from havre.base.errors import InvalidInput
from havre.oci.digest import Digest

_PATIENCE_S = 24 * 3600
_MAX_BYTES = 1 << 20


class Awaited:
    """The files in *folder*. Calls block and may come from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._running: set[str] = set()
        folder.mkdir(mode=0o700, exist_ok=True)

    def begin(self, digests: Iterable[Digest]) -> str:
        """Wait for *digests* from now on; gives the word for `end` or `interrupted`."""
        name = os.urandom(16).hex()
        with self._lock:
            self._running.add(name)
        try:
            (self._folder / name).write_text("\n".join(map(str, digests)))
        except BaseException:
            self.end(name)
            raise
        return name

    def end(self, name: str) -> None:
        """The work is done, or never will be; nor do earlier attempts at the same wait any more."""
        with self._lock:
            self._running.discard(name)
            file = self._folder / name
            done = _read(file) if file.exists() else set[Digest]()
            for other in list(self._folder.iterdir()):
                if other == file or (other.name not in self._running and _read(other) <= done):
                    other.unlink()

    def interrupted(self, name: str) -> None:
        """The work stopped, and may be tried again: what it waited for stays for a day."""
        with self._lock:
            self._running.discard(name)

    def digests(self) -> frozenset[Digest]:
        """All that is waited for; old files go."""
        found: set[Digest] = set()
        oldest = time.time() - _PATIENCE_S
        with self._lock:
            for file in list(self._folder.iterdir()):
                if file.name not in self._running and file.stat().st_mtime < oldest:
                    file.unlink()
                    continue
                found |= _read(file)
        return frozenset(found)

    def forget(self) -> None:
        """Nobody waits any more but the work that goes on."""
        with self._lock:
            for file in list(self._folder.iterdir()):
                if file.name not in self._running:
                    file.unlink()


def _read(file: Path) -> set[Digest]:
    found: set[Digest] = set()
    with file.open("rb") as lines:
        text = lines.read(_MAX_BYTES).decode(errors="replace")
    for line in text.split("\n"):
        with suppress(InvalidInput):
            found.add(Digest.parse(line))
    return found
