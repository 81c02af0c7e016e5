"""A layer's tree made of its archive while that is written: nothing is read again, and nothing hashed twice."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path
from queue import Queue
from typing import Protocol, Self

from havre.base.errors import Unavailable
from havre.snapshots.budget import Budget
from havre.snapshots.contract import View
from havre.snapshots.layer import LaidOut, lay_out

_PIECES = 8
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Trees(Protocol):
    """What is asked of the snapshots."""

    def diff_path(self, key: str) -> Path:
        """The folder that holds what *key* changed."""

    def mounted(self, key: str, view: View) -> AbstractContextManager[int]:
        """See `contract.Snapshots.mounted`."""


class Twin:
    """Lays the archive that `following` passes on out in the tree in work *key*, which is empty, in a thread.

    A context manager: at its end no thread is at work. *key* stays, for its owner to seal or to discard.
    """

    def __init__(self, trees: Trees, key: str) -> None:
        self._trees = trees
        self._key = key
        self._pieces: Queue[bytes | None] = Queue(_PIECES)
        self._rest = b""
        self._ended = False
        self._laid: LaidOut | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"twin {key[:12]}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():  # given up: what was laid out until now is of no use
            self._failure = self._failure or Unavailable("the archive was given up")
            self._end()

    def following(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """*pieces* again, each laid out as well. Raises what that failed with."""
        for piece in pieces:
            if piece:
                self._pieces.put(piece)
            if self._failure is not None:
                raise self._failure
            yield piece

    def laid_out(self) -> LaidOut:
        """Wait until all is laid out. Raises what that failed with."""
        self._end()
        if self._failure is not None:
            raise self._failure
        if self._laid is None:
            raise AssertionError("a thread that has ended has made it or failed")
        return self._laid

    def read(self, size: int, /) -> bytes:
        """See Readable; for the thread."""
        if not self._rest and not self._ended:
            piece = self._pieces.get()
            self._ended = piece is None
            self._rest = piece or b""
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _work(self) -> None:
        try:
            with ExitStack() as handles:
                tree = os.open(self._trees.diff_path(self._key), _FOLDER)
                handles.callback(os.close, tree)
                below = cache(lambda: handles.enter_context(self._trees.mounted(self._key, View.BELOW)))
                self._laid = lay_out(self, tree, below, Budget())
        except BaseException as failure:  # noqa: BLE001  told to whoever waits
            self._failure = self._failure or failure
        while not self._ended:  # whoever writes must not wait for a reader that is gone
            self._ended = self._pieces.get() is None
