"""The registry's database: its schema, durable transactions one at a time, and reads that never wait for them."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from havre.base.errors import InternalError, InvalidInput, ResourceExhausted

SCHEMA_VERSION: Final = 1
Value: TypeAlias = str | int
_SCHEMA: Final = """
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE blobs (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE INDEX blobs_by_digest ON blobs (digest);
CREATE TABLE manifests (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    subject TEXT NOT NULL,
    artifact_type TEXT NOT NULL,
    annotations TEXT NOT NULL,
    pushed_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE INDEX manifests_by_digest ON manifests (digest);
CREATE INDEX manifests_by_subject ON manifests (repository, subject) WHERE subject <> '';
CREATE TABLE parts (
    repository INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, digest),
    FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX parts_by_digest ON parts (repository, digest);
CREATE TABLE tags (
    repository INTEGER NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    set_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, tag),
    FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags (repository, digest);
"""


class Database:
    """The file *path*, made when it is not there. Refuses a file of a newer schema.

    What `transaction` committed is on the disk. Reads see the last commit; they take microseconds and may be
    called in the event loop. All calls are safe from any thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._writer = self._connect()
        try:
            self._reader = self._connect()
        except BaseException:
            self._writer.close()
            raise
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, when the transaction that runs has ended."""
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()

    def read(self, query: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows that *query* finds."""
        with self._reading, self._meaning("reading"):
            return self._reader.execute(query, values).fetchall()

    def read_one(self, query: str, values: Sequence[Value] = ()) -> tuple[Value, ...] | None:
        """The first row, if there is one."""
        rows = self.read(query, values)
        return rows[0] if rows else None

    def scan(self, query: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Like `read`, for what looks at much: over a connection of its own, so that no `read` waits. Blocks."""
        with self._meaning("reading"), closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """A cursor whose changes are kept together, for good, or not at all; one such context at a time."""
        with self._writing, self._meaning("writing"):
            cursor = self._writer.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
            finally:
                cursor.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        # FULL: a commit is on the disk before the client is told; NORMAL would lose it in a power cut.
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        return connection

    def _open(self) -> None:
        version = int(self._writer.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise InvalidInput(f"{self._path} was written by a newer Havre (schema {version})")
        if version == 0:
            self._writer.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    @contextmanager
    def _meaning(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise ResourceExhausted(f"{doing} {self._path}: {error}") from error
            raise InternalError(f"{doing} {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise InternalError(f"{doing} {self._path}: {error}") from error


def repository_id(cursor: sqlite3.Cursor, name: str) -> int:
    """The number of the repository *name*, which exists afterwards."""
    cursor.execute("INSERT INTO repositories (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (name,))
    return int(cursor.execute("SELECT id FROM repositories WHERE name = ?", (name,)).fetchone()[0])
