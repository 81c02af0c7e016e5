"""Removing trees by handle, and the bin from which a thread of its own empties them."""

import logging
import os
import queue
import stat
import threading
from contextlib import suppress
from pathlib import Path

_MAX_LEVELS = 32
_log = logging.getLogger(__name__)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(parent: int, name: str | bytes) -> None:
    """Remove *name* in the folder *parent*, with all below it; links are removed, never followed.

    What is gone already is no error, so two removals of one tree may meet.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
            return
        handle = os.open(name, _FOLDER, dir_fd=parent)
        try:
            empty_folder(handle)
        finally:
            os.close(handle)
        os.rmdir(name, dir_fd=parent)


def empty_folder(top: int) -> None:
    """Remove all that is in the open folder, however deep.

    A container can nest folders without end: what lies too deep is moved up, so that few handles are open.
    """
    levels = [(top, "", _split(top))]
    try:
        while levels:
            here, name, folders = levels[-1]
            if not folders:
                levels.pop()
                if levels:
                    os.close(here)
                    with suppress(FileNotFoundError):
                        os.rmdir(name, dir_fd=levels[-1][0])
                continue
            child = folders.pop()
            with suppress(FileNotFoundError):
                if len(levels) >= _MAX_LEVELS:
                    moved = os.urandom(16).hex()
                    os.rename(child, moved, src_dir_fd=here, dst_dir_fd=top)
                    levels[0][2].append(moved)
                else:
                    handle = os.open(child, _FOLDER, dir_fd=here)
                    levels.append((handle, child, []))
                    levels[-1][2].extend(_split(handle))
    finally:
        for handle, _, _ in levels[1:]:
            os.close(handle)


def _split(handle: int) -> list[str]:
    """Unlink all but the folders of an open folder, and name those."""
    folders: list[str] = []
    with os.scandir(handle) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                continue
            with suppress(FileNotFoundError):
                os.unlink(entry.name, dir_fd=handle)
    return folders


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
        parent = os.open(self._folder, _FOLDER)
        try:
            while (name := self._wakes.get()) is not None:
                try:
                    remove_tree(parent, name)
                except OSError:
                    # It stays in the bin and is tried again at the next start.
                    _log.exception("cannot remove %s/%s", self._folder, name)
        finally:
            os.close(parent)
