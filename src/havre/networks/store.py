"""What this room remembers in `<data-root>/network/networks.db`: networks for ever, attachments while they last."""

import logging
import sqlite3
from pathlib import Path
from typing import TypeVar

import msgspec

from havre.base.clock import now_ns
from havre.base.errors import InternalError
from havre.networks.model import AddressTaken, Attachment, Network

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL) STRICT;
CREATE TABLE attachments (
    sandbox_id TEXT PRIMARY KEY,
    network_id TEXT NOT NULL,
    address TEXT,
    record BLOB NOT NULL,
    UNIQUE (network_id, address)
) STRICT;
CREATE TABLE damaged (origin TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL) STRICT;
"""
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_network = msgspec.json.Decoder(Network)
_attachment = msgspec.json.Decoder(Attachment)


class Store:
    """One SQLite file; for one thread at a time.

    A network is on the disk when `save_network` returns. An attachment survives the end of this process at
    any instruction, but not a power cut, which no sandbox survives either: so it costs no fsync.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "networks.db"
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # no space, no right, in use: the file itself may be good
            aside = self._path.with_name(f"networks.db.damaged-{now_ns()}")
            _log.exception("%s is damaged; it is set aside as %s", self._path, aside.name)
            self._path.rename(aside)
            for leftover in ("networks.db-wal", "networks.db-shm"):
                (folder / leftover).unlink(missing_ok=True)
            self._db = self._open()

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def networks(self) -> list[Network]:
        """All networks, in the order they were made."""
        return self._read("networks", "name", _network)

    def save_network(self, network: Network) -> None:
        """Keep *network* in place of the one with its name."""
        self._db.execute("PRAGMA synchronous=FULL")
        try:
            self._db.execute(
                "INSERT INTO networks VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET id = excluded.id, record = excluded.record",
                (network.id, network.name, msgspec.json.encode(network)),
            )
        finally:
            self._db.execute("PRAGMA synchronous=NORMAL")

    def attachments(self) -> list[Attachment]:
        """All attachments."""
        return self._read("attachments", "sandbox_id", _attachment)

    def save_attachment(self, attachment: Attachment) -> None:
        """Keep *attachment* and with it the lease of its address. Raises AddressTaken if another sandbox has it."""
        row = (
            attachment.sandbox_id,
            attachment.network_id,
            attachment.ip_address or None,
            msgspec.json.encode(attachment),
        )
        try:
            self._db.execute("INSERT INTO attachments VALUES (?, ?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise AddressTaken(f"Address already in use: {attachment.ip_address}") from error

    def forget_attachment(self, sandbox_id: str) -> None:
        """Let the attachment and its lease go; forgetting an unknown one is no error."""
        self._db.execute("DELETE FROM attachments WHERE sandbox_id = ?", (sandbox_id,))

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            self._migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _read(self, table: str, key: str, decoder: msgspec.json.Decoder[_T]) -> list[_T]:
        """All records of *table*; one that cannot be read is set aside, the others count."""
        found = []
        for name, record in self._db.execute(f"SELECT {key}, record FROM {table} ORDER BY rowid").fetchall():  # noqa: S608  both are constants of this module
            try:
                found.append(decoder.decode(record))
            except msgspec.MsgspecError:
                _log.exception("the record of %s in %s is damaged and set aside: %r", name, table, record)
                self._db.execute("INSERT INTO damaged VALUES (?, ?, ?)", (table, name, record))
                self._db.execute(f"DELETE FROM {table} WHERE {key} = ?", (name,))  # noqa: S608  as above
        return found

    def _migrate(self, db: sqlite3.Connection) -> None:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise InternalError(
                f"{self._path} has version {version}, made by a newer havre; this one reads {SCHEMA_VERSION}"
            )
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
