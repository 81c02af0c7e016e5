"""What must survive: the records of all containers, in `<data-root>/havre.db`, and in memory.

One thread owns the SQLite connection. Writers queue their change and await its future; the thread takes all that
waits, commits it in one transaction (WAL, synchronous=FULL: one fsync for many) and answers every future at
once. Readers never touch the disk: at start everything is read once. A record is JSON with its CRC-32; one that
cannot be read is set aside in the table `damaged` and the others go on (security.md, rules 22 and 24).
"""

import asyncio
import contextlib
import logging
import os
import queue
import sqlite3
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from havre.base import clock
from havre.base.errors import InternalError, NotSupported, ResourceExhausted
from havre.engine.model import ExecRecord, Record

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE containers (id TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE execs (id TEXT PRIMARY KEY, container TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX execs_of ON execs (container);
CREATE TABLE damaged (id TEXT PRIMARY KEY, found_ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_SAVE: Final = "INSERT INTO containers VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET crc=?2, body=?3"
_FORGET: Final = "DELETE FROM containers WHERE id = ?1"
_SAVE_EXEC: Final = "INSERT INTO execs VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET body=?3"
_FORGET_EXEC: Final = "DELETE FROM execs WHERE id = ?1"
_FORGET_EXECS: Final = "DELETE FROM execs WHERE container = ?1"
_FLUSH: Final = ""
_RESERVE_BYTES: Final = 4 << 20
_CLEAN: Final = "clean"
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Record).decode
_decode_exec = msgspec.json.Decoder(ExecRecord).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Change:
    statement: str
    values: tuple[str | int | bytes, ...]
    done: "asyncio.Future[None]"
    durable: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What `open` read. *damaged* are ids whose records were set aside; *clean* tells of an orderly end before.

    *execs* that cannot be read are dropped: they are worth nothing without a running container.
    """

    records: tuple[Record, ...]
    damaged: frozenset[str]
    clean: bool
    execs: tuple[ExecRecord, ...] = ()


class Records:
    """The durable side of the records. `close` waits until everything queued is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._reserve = _Reserve(path.with_name("reserve"))
        self._db: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> Found:
        """Read everything and start the writer. Blocks; call it before the loop is busy.

        Raises NotSupported for a file that a newer Havre wrote (and leaves it as it is), InternalError for one that is
        no database.
        """
        self._loop = asyncio.get_running_loop()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
            found = _read_all(db)
        except BaseException:
            db.close()
            raise
        self._db = db
        self._reserve.fill()
        self._thread = threading.Thread(target=self._write, name="havre-records", daemon=True)
        self._thread.start()
        return found

    def save(self, record: Record, *, durable: bool = True) -> "asyncio.Future[None]":
        """Write *record* down; the future ends when it is on the disk, and need not be awaited.

        With *durable* false it ends when the record survives the end of this process at any instruction, though
        not a power cut: right for what no power cut leaves as it is, such as the end of a process.
        """
        body = _encode(record)
        return self._change(_SAVE, (record.id, zlib.crc32(body), body), durable=durable)

    def forget(self, identifier: str, *, durable: bool = True) -> "asyncio.Future[None]":
        """Strike the record out, and those of its exec instances; *durable* as in `save`."""
        _ = self._change(_FORGET_EXECS, (identifier,), durable=False)
        return self._change(_FORGET, (identifier,), durable=durable)

    def flush(self) -> "asyncio.Future[None]":
        """Done when whatever was asked for before, durable or not, survives a power cut."""
        return self._change(_FLUSH, (), durable=False)

    def save_exec(self, record: ExecRecord) -> None:
        """Write an exec instance down: for the next process, not for a power cut."""
        _ = self._change(_SAVE_EXEC, (record.id, record.container_id, _encode(record)), durable=False)

    def forget_exec(self, exec_id: str) -> None:
        """Strike an exec instance out."""
        _ = self._change(_FORGET_EXEC, (exec_id,), durable=False)

    def fact(self, name: str, make: Callable[[], str]) -> str:
        """A text that never changes once *make* has made it: the engine's own id. Blocks."""
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as own:
            own.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, make()))
            (value,) = own.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(value)

    async def close(self, *, clean: bool = True) -> None:
        """Write what is queued, leave the mark of an orderly end, and give the file back."""
        if self._thread is None or self._db is None:
            return
        if clean:
            _ = self._change("INSERT OR REPLACE INTO facts VALUES (?, '1')", (_CLEAN,), durable=True)
        self._queue.put(None)
        thread, self._thread = self._thread, None
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self._db.close()
        self._db = None

    def _change(
        self, statement: str, values: tuple[str | int | bytes, ...], *, durable: bool
    ) -> "asyncio.Future[None]":
        if self._loop is None or self._thread is None:
            raise InternalError("the records are closed")
        done: asyncio.Future[None] = self._loop.create_future()
        done.add_done_callback(_note_failure)
        self._queue.put(_Change(statement, values, done, durable))
        return done

    def _open_db(self) -> sqlite3.Connection:
        if self._db is None:
            raise InternalError("the records are closed")
        return self._db

    def _prepare(self, db: sqlite3.Connection) -> None:
        try:
            version: int = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise NotSupported(
                    f"{self._path} has schema {version}, written by a newer havre; this one knows {SCHEMA_VERSION}"
                )
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if version == 0:
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        except sqlite3.OperationalError as failed:
            raise _translated(failed, self._path) from failed
        except sqlite3.DatabaseError as broken:
            raise InternalError(f"{self._path} is not a database of havre: {broken}") from broken

    def _write(self) -> None:
        while True:
            changes = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    changes.append(self._queue.get_nowait())
            wanted = [change for change in changes if change is not None]
            self._answer(wanted, self._commit_with_reserve(wanted) if wanted else None)
            if None in changes:
                return

    def _commit_with_reserve(self, changes: list[_Change]) -> Exception | None:
        """A full disk must not hinder a removal: the reserve goes first, and comes back with the next free space."""
        failure = self._commit(changes)
        if isinstance(failure, ResourceExhausted) and self._reserve.release():
            failure = self._commit(changes)
        elif failure is None and any(change.statement is _FORGET for change in changes):
            self._reserve.fill()
        return failure

    def _commit(self, changes: list[_Change]) -> Exception | None:
        db = self._open_db()
        level = "FULL" if any(change.durable for change in changes) else "NORMAL"
        try:
            db.execute(f"PRAGMA synchronous={level}")
            db.execute("BEGIN IMMEDIATE")
            for change in changes:
                if change.statement is not _FLUSH:
                    db.execute(change.statement, change.values)
            db.execute("COMMIT")
            if any(change.statement is _FLUSH for change in changes):
                _sync(self._path.with_name(f"{self._path.name}-wal"))
        except OSError as failed:
            return InternalError(f"cannot write {self._path}: {failed.strerror}")
        except sqlite3.Error as failed:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            return _translated(failed, self._path)
        return None

    def _answer(self, changes: list[_Change], failure: Exception | None) -> None:
        waiting = [change.done for change in changes]
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_finish, waiting, failure)


class _Reserve:
    """Some space kept back, so that what makes space free can be written down on a full disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._full = False

    def fill(self) -> None:
        """Keep the space back, as far as there is some."""
        if self._full:
            return
        with contextlib.suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, _RESERVE_BYTES)
                self._full = True
            finally:
                os.close(handle)

    def release(self) -> bool:
        """Give the space to whoever needs it now; false when it was given away before."""
        self._full = False
        try:
            size = self._path.stat().st_size
            os.truncate(self._path, 0)
        except OSError:
            return False
        return size > 0


def _sync(log: Path) -> None:
    """Bring the write-ahead log to the disk; what SQLite has taken out of it is there already."""
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)


def _read_all(db: sqlite3.Connection) -> Found:
    records: list[Record] = []
    broken: list[tuple[str, bytes]] = []
    for identifier, crc, body in db.execute("SELECT id, crc, body FROM containers ORDER BY rowid"):
        record = _read(identifier, crc, body)
        if record is None:
            broken.append((identifier, body))
        else:
            records.append(record)
    clean = db.execute("SELECT 1 FROM facts WHERE name = ?", (_CLEAN,)).fetchone() is not None
    db.execute("BEGIN IMMEDIATE")
    for identifier, body in broken:
        _log.error("the record of container %s is damaged; it is set aside", identifier)
        db.execute("INSERT OR REPLACE INTO damaged VALUES (?, ?, ?)", (identifier, clock.now_ns(), body))
        db.execute(_FORGET, (identifier,))
    db.execute("DELETE FROM facts WHERE name = ?", (_CLEAN,))
    db.execute("COMMIT")
    damaged = frozenset(str(row[0]) for row in db.execute("SELECT id FROM damaged"))
    return Found(tuple(records), damaged, clean, _read_execs(db))


def _read_execs(db: sqlite3.Connection) -> tuple[ExecRecord, ...]:
    execs: list[ExecRecord] = []
    for (body,) in db.execute("SELECT body FROM execs ORDER BY rowid"):
        with contextlib.suppress(msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            execs.append(_decode_exec(body))
    return tuple(execs)


def _read(identifier: str, crc: int, body: bytes) -> Record | None:
    if zlib.crc32(body) != crc:
        return None
    try:
        record = _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return record if record.id == identifier else None


def _translated(failed: sqlite3.Error, path: Path) -> Exception:
    if getattr(failed, "sqlite_errorcode", None) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}:
        return ResourceExhausted(f"cannot write {path}: no space left on device")
    return InternalError(f"cannot write {path}: {failed}")


def _finish(waiting: list["asyncio.Future[None]"], failure: Exception | None) -> None:
    for done in waiting:
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)


def _note_failure(done: "asyncio.Future[None]") -> None:
    """A change that nobody awaits must not fail unseen."""
    if not done.cancelled() and (failure := done.exception()) is not None:
        _log.error("a record could not be written: %s", failure)
