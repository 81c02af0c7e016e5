"""What this room remembers in `<data-root>/network/networks.db`: networks for ever, attachments while they last."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from havre.base.clock import now_ns
from havre.base.errors import InternalError
from havre.networks.model import AddressTaken, Attachment, Network
from havre.networks.old_records import attachment_of_v1, network_of_v1

SCHEMA_VERSION = 2
_ATTACHMENTS = """
CREATE TABLE attachments (sandbox_id TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT;
CREATE TABLE leases (
    network_id TEXT NOT NULL,
    address TEXT NOT NULL,
    sandbox_id TEXT NOT NULL,
    PRIMARY KEY (network_id, address)
) STRICT;
CREATE INDEX leases_of ON leases (sandbox_id);
"""
_SCHEMA = f"""
CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL) STRICT;
CREATE TABLE damaged (origin TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL) STRICT;
{_ATTACHMENTS}
"""
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_network = msgspec.json.Decoder(Network)
_attachment = msgspec.json.Decoder(Attachment)


class Store:
    """One SQLite file; for one thread at a time.

    A network is on the disk when `save_network` returns, and off it when `forget_network` does. An attachment
    survives the end of this process at any instruction, but not a power cut, which no sandbox survives either: so
    it costs no fsync.
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
        with self._durable():
            self._db.execute(
                "INSERT INTO networks VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET id = excluded.id, record = excluded.record",
                (network.id, network.name, msgspec.json.encode(network)),
            )

    def forget_network(self, network_id: str) -> None:
        """Let a network go; forgetting an unknown one is no error."""
        with self._durable():
            self._db.execute("DELETE FROM networks WHERE id = ?", (network_id,))

    def attachments(self) -> list[Attachment]:
        """All attachments; the leases of one that cannot be read are free again."""
        found = self._read("attachments", "sandbox_id", _attachment)
        self._db.execute("DELETE FROM leases WHERE sandbox_id NOT IN (SELECT sandbox_id FROM attachments)")
        return found

    def save_attachment(self, attachment: Attachment) -> None:
        """Keep *attachment* in place of what the sandbox had, and with it the leases of its addresses.

        Raises AddressTaken if another sandbox has one of them; then nothing is changed.
        """
        owner = attachment.sandbox_id
        leases = [
            (endpoint.network_id, address, owner)
            for endpoint in attachment.endpoints
            for address in (endpoint.ip_address, endpoint.ipv6_address)
            if address
        ]
        with self._whole():
            self._db.execute("DELETE FROM leases WHERE sandbox_id = ?", (owner,))
            try:
                self._db.executemany("INSERT INTO leases VALUES (?, ?, ?)", leases)
            except sqlite3.IntegrityError as error:
                raise AddressTaken("Address already in use") from error
            self._db.execute(
                "INSERT INTO attachments VALUES (?, ?) ON CONFLICT (sandbox_id) DO UPDATE SET record = excluded.record",
                (owner, msgspec.json.encode(attachment)),
            )

    def forget_attachment(self, sandbox_id: str) -> None:
        """Let the attachment and its leases go; forgetting an unknown one is no error."""
        with self._whole():
            self._db.execute("DELETE FROM leases WHERE sandbox_id = ?", (sandbox_id,))
            self._db.execute("DELETE FROM attachments WHERE sandbox_id = ?", (sandbox_id,))

    @contextmanager
    def _durable(self) -> Iterator[None]:
        self._db.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of what is done inside, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

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
        elif version == 1:
            _migrate_from_v1(db)


def _migrate_from_v1(db: sqlite3.Connection) -> None:
    """One network a sandbox, and one subnet a network, become several; in one transaction."""
    attachments = db.execute("SELECT sandbox_id, record FROM attachments").fetchall()
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("ALTER TABLE attachments RENAME TO old_attachments")
        for statement in _ATTACHMENTS.split(";"):
            db.execute(statement)
        for name, record in db.execute("SELECT name, record FROM networks").fetchall():
            db.execute("UPDATE networks SET record = ? WHERE name = ?", (network_of_v1(record), name))
        for sandbox_id, record in attachments:
            body, leases = attachment_of_v1(record)
            db.execute("INSERT INTO attachments VALUES (?, ?)", (sandbox_id, body))
            rows = [(network_id, address, sandbox_id) for network_id, address in leases]
            db.executemany("INSERT INTO leases VALUES (?, ?, ?)", rows)
        db.execute("DROP TABLE old_attachments")
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
