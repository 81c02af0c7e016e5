"""The bin for trees that nobody needs, which a thread of its own empties."""

import logging
import os
import queue
import threading
from pathlib import Path

from havre.kernel.removing import remove_tree

_log = logging.getLogger(__name__)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Bin:
    """A folder for trees that nobody needs: putting one in is a rename, emptying goes on behind.

    What a dead process left in it is emptied from the first `empty` or `put` on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wakes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        folder.mkdir(mode=0o700, exist_ok=True)

    def put(self, path: Path) -> None:
        """Move the tree at *path* away. Raises FileNotFoundError."""
        name = os.urandom(16).hex()
        path.rename(self._folder / name)
        self._wake(name)

    def empty(self) -> None:
        """Begin to remove all that is in the bin."""
        for entry in self._folder.iterdir():
            self._wake(entry.name)

    def close(self) -> None:
        """Wait until all that was put in is removed."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._wakes.put(None)
            thread.join()

    def _wake(self, name: str) -> None:
        self._wakes.put(name)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="havre-bin", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        left: list[str] = []
        while (name := self._wakes.get()) is not None:
            left = [each for each in (*left, name) if not self._removed(each, again=each != name)]

    def _removed(self, name: str, *, again: bool) -> bool:
        """Whether it is gone. What cannot go now (no handle is left, say) is tried behind the next and at the start."""
        try:
            parent = os.open(self._folder, _FOLDER)
            try:
                remove_tree(parent, name)
            finally:
                os.close(parent)
        except OSError as failed:
            if not again:
                _log.warning("cannot remove %s/%s now: %s", self._folder, name, failed)
            return False
        return True
