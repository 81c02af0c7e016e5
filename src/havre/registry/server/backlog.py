"""Notices that webhooks have not taken yet, on disk: they outlive the server, however it ends."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from havre.base.errors import InternalError
from havre.registry.server.notices import Notice

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL,
    notice BLOB NOT NULL
);
"""
_log = logging.getLogger(__name__)


class Backlog:
    """The file *path*, made when it is not there; used by one thread at a time.

    What was added survives a crash of the server at once, and a power cut from the next checkpoint on: a write takes
    microseconds, so that no request waits for it. On a full disk a notice is kept in memory only.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InternalError(f"opening {path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, endpoint: str, notice: Notice) -> int:
        """Keep *notice* for *endpoint*; gives its number, or 0 when it could not be written."""
        try:
            row = (endpoint, msgspec.json.encode(notice))
            return self._connection.execute("INSERT INTO waiting (endpoint, notice) VALUES (?, ?)", row).lastrowid or 0
        except sqlite3.Error as error:
            _log.warning("a notice for webhook %s would not survive the server: %s", endpoint, error)
            return 0

    def remove(self, number: int) -> None:
        """Forget a notice; should that fail, it is sent again after the next start."""
        try:
            self._connection.execute("DELETE FROM waiting WHERE number = ?", (number,))
        except sqlite3.Error as error:
            _log.warning("a notice that was delivered stays on disk: %s", error)

    def waiting(self, endpoint: str) -> Iterator[tuple[int, Notice]]:
        """What *endpoint* has not taken, in order, with its numbers."""
        rows = self._connection.execute(
            "SELECT number, notice FROM waiting WHERE endpoint = ? ORDER BY number", (endpoint,)
        ).fetchall()
        for number, data in rows:
            try:
                yield number, msgspec.json.decode(data, type=Notice)
            except msgspec.MsgspecError as error:
                _log.warning("notice %d of webhook %s cannot be read: %s", number, endpoint, error)
                self.remove(number)

    def keep_only(self, endpoints: Iterable[str]) -> None:
        """Forget what waits for others than *endpoints*."""
        kept = set(endpoints)
        for (endpoint,) in self._connection.execute("SELECT DISTINCT endpoint FROM waiting").fetchall():
            if endpoint not in kept:
                self._connection.execute("DELETE FROM waiting WHERE endpoint = ?", (endpoint,))
