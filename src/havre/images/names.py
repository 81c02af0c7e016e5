"""The names record: which images exist, what they are called, what their layers weigh (SQLite, durable).

An image exists from the moment its row is here: content and snapshots come before it and go after it.
All calls block; one connection is shared under a lock.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from havre.base.errors import InternalError, InvalidInput, ResourceExhausted
from havre.images.model import Layer
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.reference import Reference

SCHEMA_VERSION = 2
_Row = TypeVar("_Row")
_log = logging.getLogger(__name__)
_SCHEMAS = (
    """
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    manifest_digest TEXT NOT NULL,
    manifest_type TEXT NOT NULL,
    manifest_size INTEGER NOT NULL,
    parent TEXT NOT NULL,
    last_tagged_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE names (
    name TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id)
) WITHOUT ROWID;
CREATE INDEX names_of_image ON names (image_id);
CREATE TABLE layers (
    chain TEXT PRIMARY KEY,
    diff TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    tar_bytes INTEGER NOT NULL
) WITHOUT ROWID;
""",
    """
CREATE TABLE indexes (
    image_id TEXT PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL
) WITHOUT ROWID;
""",
)
"""What leads from each version to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """An image as the record holds it."""

    id: str
    manifest: Descriptor
    index: Descriptor | None = None
    parent: str
    last_tagged_ns: int


@dataclass(frozen=True, slots=True)
class Record:
    """All that is on disk."""

    images: tuple[ImageRow, ...]
    names: tuple[tuple[Reference, str], ...]
    layers: tuple[Layer, ...]


class Names:
    """The record in the file *path*, made when it is not there. Refuses a file of a newer schema."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._open()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; the record cannot be used any more."""
        with self._lock:
            self._connection.close()

    def read(self) -> Record:
        """Everything that can be understood; a damaged row is passed over with a line in the log."""
        with self._lock:
            images = self._connection.execute(
                "SELECT id, manifest_type, manifest_digest, manifest_size, parent, last_tagged_ns,"
                " type, digest, size FROM images LEFT JOIN indexes ON image_id = id"
            ).fetchall()
            names = self._connection.execute("SELECT name, image_id FROM names").fetchall()
            layers = self._connection.execute("SELECT chain, diff, size_bytes, tar_bytes FROM layers").fetchall()
        return Record(tuple(_sound(images, _image)), tuple(_sound(names, _named)), tuple(_sound(layers, _layer)))

    def add(self, image: ImageRow, layers: Iterable[Layer], names: Iterable[Reference]) -> None:
        """Make *image* exist with *layers* and give it *names*, in one step; what exists is renewed."""
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " manifest_digest = excluded.manifest_digest, manifest_type = excluded.manifest_type,"
                " manifest_size = excluded.manifest_size, parent = excluded.parent,"
                " last_tagged_ns = max(last_tagged_ns, excluded.last_tagged_ns)",
                (
                    image.id,
                    image.manifest.digest,
                    image.manifest.media_type,
                    image.manifest.size,
                    image.parent,
                    image.last_tagged_ns,
                ),
            )
            _put_index(cursor, image)
            cursor.executemany(
                "INSERT INTO layers VALUES (?, ?, ?, ?) ON CONFLICT (chain) DO UPDATE SET"
                " size_bytes = excluded.size_bytes, tar_bytes = max(tar_bytes, excluded.tar_bytes)",
                [(str(one.chain), str(one.diff), one.size_bytes, one.tar_bytes) for one in layers],
            )
            _name(cursor, image.id, names)

    def forget_index(self, image_id: str) -> None:
        """Let an image have no index."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM indexes WHERE image_id = ?", (image_id,))

    def tag(self, image_id: str, names: Iterable[Reference], at_ns: int) -> None:
        """Give *names* to *image_id*, whoever had them."""
        with self._transaction() as cursor:
            _name(cursor, image_id, names)
            cursor.execute("UPDATE images SET last_tagged_ns = ? WHERE id = ?", (at_ns, image_id))

    def remove(self, names: Iterable[Reference], images: Iterable[str], chains: Iterable[Digest]) -> None:
        """Forget *names*, *images* by their ids, and what *chains* weigh, in one step."""
        with self._transaction() as cursor:
            cursor.executemany("DELETE FROM names WHERE name = ?", [(str(name),) for name in names])
            cursor.executemany("DELETE FROM images WHERE id = ?", [(one,) for one in images])
            cursor.executemany("DELETE FROM layers WHERE chain = ?", [(str(one),) for one in chains])

    def _open(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA busy_timeout = 5000")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise InternalError(
                f"{self._path} has schema version {version}, and this havre knows up to {SCHEMA_VERSION}:"
                " it was written by a newer havre"
            )
        if version < SCHEMA_VERSION:
            steps = "".join(_SCHEMAS[version:])
            self._connection.executescript(f"BEGIN;{steps}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        self._connection.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            cursor = self._connection.cursor()
            try:
                cursor.execute("BEGIN IMMEDIATE")
                try:
                    yield cursor
                    cursor.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        cursor.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise ResourceExhausted(f"cannot write {self._path}: {error}") from error
            finally:
                cursor.close()


def _name(cursor: sqlite3.Cursor, image_id: str, names: Iterable[Reference]) -> None:
    cursor.executemany("INSERT OR REPLACE INTO names VALUES (?, ?)", [(str(name), image_id) for name in names])


def _put_index(cursor: sqlite3.Cursor, image: ImageRow) -> None:
    cursor.execute("DELETE FROM indexes WHERE image_id = ?", (image.id,))
    if (index := image.index) is not None:
        row = (image.id, index.digest, index.media_type, index.size)
        cursor.execute("INSERT INTO indexes (image_id, digest, type, size) VALUES (?, ?, ?, ?)", row)


def _sound(rows: Iterable[tuple[object, ...]], read: Callable[[tuple[object, ...]], _Row]) -> Iterator[_Row]:
    for row in rows:
        try:
            yield read(row)
        except (InvalidInput, ValueError, TypeError, AttributeError) as error:
            _log.warning("passing over a damaged row of the names record: %r: %s", row, error)


def _image(row: tuple[object, ...]) -> ImageRow:
    image_id, media_type, digest, size, parent, last_tagged_ns, *index = row
    return ImageRow(
        id=str(Digest.parse(_text(image_id))),
        manifest=_descriptor(media_type, digest, size),
        index=None if index[0] is None else _descriptor(*index),
        parent=_text(parent),
        last_tagged_ns=_count(last_tagged_ns),
    )


def _descriptor(media_type: object, digest: object, size: object) -> Descriptor:
    found = Descriptor(media_type=_text(media_type), digest=_text(digest), size=_count(size))
    found.parsed_digest()
    return found


def _named(row: tuple[object, ...]) -> tuple[Reference, str]:
    name, image_id = row
    return Reference.parse(_text(name)), _text(image_id)


def _layer(row: tuple[object, ...]) -> Layer:
    chain, diff, size_bytes, tar_bytes = row
    return Layer(
        chain=Digest.parse(_text(chain)),
        diff=Digest.parse(_text(diff)),
        size_bytes=_count(size_bytes),
        tar_bytes=_count(tar_bytes),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, found {value!r}")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a number expected, found {value!r}")
    return value
