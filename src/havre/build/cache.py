"""What steps made, by what went into them: a step with the same key is not done again.

A record holds when a step was done and the layer that came of it, if one did; it counts only while that layer is
sealed. Records live in memory, and in one SQLite file that is written after the layers are on the disk: what a crash
takes away is a record, never the truth of one.
"""

import asyncio
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from havre.base import clock
from havre.base.errors import InternalError
from havre.build.model import LayerMade
from havre.images.store import Needed
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest

_VERSION: Final = 1
_log = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS steps (key TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
"""


class CacheRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step that was done: *kind* and *text* for people, *value* for what is no layer (a digest of files).

    *layer* fields are empty where the step changed no file. *blob* and *media_type* are set where the layer is kept
    compressed, as it came from another cache.
    """

    key: str
    kind: str
    text: str
    created_ns: int
    used_ns: int = 0
    uses: int = 0
    parent: str = ""
    chain: str = ""
    diff: str = ""
    blob_bytes: int = 0
    size_bytes: int = 0
    value: str = ""
    blob: str = ""
    media_type: str = ""

    def layer(self) -> LayerMade | None:
        """What the step made."""
        if not self.chain:
            return None
        media_type = self.media_type or LAYER_TYPE
        blob = Descriptor(media_type=media_type, digest=self.blob or self.diff, size=self.blob_bytes)
        return LayerMade(
            chain=Digest.parse(self.chain), diff=Digest.parse(self.diff), blob=blob, size_bytes=self.size_bytes
        )


LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"


def record_of(
    key: str, kind: str, text: str, layer: LayerMade | None, parent: Digest | None, value: str = ""
) -> CacheRecord:
    """The record of a step that was done just now."""
    now = clock.now_ns()
    bare = CacheRecord(key=key, kind=kind, text=text, created_ns=now, used_ns=now, value=value)
    if layer is None:
        return bare
    is_plain = layer.blob.digest == str(layer.diff)
    return msgspec.structs.replace(
        bare,
        parent=str(parent or ""),
        chain=str(layer.chain),
        diff=str(layer.diff),
        blob_bytes=layer.blob.size,
        size_bytes=layer.size_bytes,
        blob="" if is_plain else layer.blob.digest,
        media_type="" if is_plain else layer.blob.media_type,
    )


class Cache:
    """All records of one data root. It belongs to one event loop; `needed` and `hold` may be called from threads."""

    def __init__(self, path: Path, is_sealed: Callable[[Digest], bool]) -> None:
        self._path = path
        self._is_sealed = is_sealed
        self._lock = threading.Lock()
        self._records: dict[str, CacheRecord] = {}
        self._chains: Counter[Digest] = Counter()
        self._blobs: Counter[Digest] = Counter()
        self._unsaved: set[str] = set()
        self._running: dict[str, asyncio.Future[None]] = {}

    def open(self) -> None:
        """Read what is there; records whose layers are gone are forgotten, a damaged file is set aside. Blocks."""
        try:
            rows = self._read()
        except InternalError as damaged:
            _log.warning("the builder begins with an empty cache: %s", damaged.message)
            self._path.replace(self._path.with_suffix(".damaged"))
            rows = self._read()
        for (raw,) in rows:
            try:
                record = msgspec.json.decode(raw, type=CacheRecord)
            except msgspec.MsgspecError:
                continue  # of another version: the step is done again
            if not record.chain or self._is_sealed(Digest.parse(record.chain)):
                self._keep(record)

    def all(self) -> tuple[CacheRecord, ...]:
        """Every record."""
        return tuple(self._records.values())

    def find(self, key: str) -> CacheRecord | None:
        """The record of *key*; it counts as a use."""
        record = self._records.get(key)
        if record is None or (record.chain and not self._is_sealed(Digest.parse(record.chain))):
            return None
        used = msgspec.structs.replace(record, used_ns=clock.now_ns(), uses=record.uses + 1)
        self._records[key] = used
        return used

    def put(self, record: CacheRecord) -> None:
        """Keep *record* from now on, in the place of an earlier one with its key."""
        self._forget(record.key)
        self._keep(record)
        with self._lock:
            self._unsaved.add(record.key)

    async def once(
        self, key: str, make: Callable[[], Awaitable[CacheRecord]], *, fresh: bool = False
    ) -> tuple[CacheRecord, bool]:
        """The record of *key*, and whether it was there; else what *make* gives, which nobody else makes meanwhile.

        With *fresh* it is made in any case.
        """
        while True:
            if not fresh and (known := self.find(key)) is not None:
                return known, True
            running = self._running.get(key)
            if running is None:
                break
            await asyncio.shield(running)
        mine = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            record = await make()
            self.put(record)
            return record, False
        finally:
            del self._running[key]
            mine.set_result(None)

    def needed(self) -> Needed:
        """What the store of images must not remove."""
        with self._lock:
            return Needed(blobs=frozenset(self._blobs), chains=frozenset(self._chains))

    def hold(self, chain: Digest, blob: Digest) -> None:
        """Keep a layer that has no record yet; see `release`."""
        with self._lock:
            self._chains[chain] += 1
            self._blobs[blob] += 1

    def release(self, held: Iterable[tuple[Digest, Digest]]) -> None:
        """The opposite of `hold`."""
        with self._lock:
            for chain, blob in held:
                _less(self._chains, chain)
                _less(self._blobs, blob)

    def save(self) -> None:
        """Write what is new, and what is forgotten; the layers must be on the disk by now. Blocks.

        What cannot be written is for the next time: it fails no build.
        """
        with self._lock:
            changed, self._unsaved = self._unsaved, set()
        if not changed:
            return
        kept = [record for key in changed if (record := self._records.get(key)) is not None]
        gone = changed - {record.key for record in kept}
        try:
            with closing(self._connect()) as database, database:
                rows = [(record.key, msgspec.json.encode(record)) for record in kept]
                database.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?)", rows)
                database.executemany("DELETE FROM steps WHERE key = ?", [(key,) for key in gone])
        except (sqlite3.Error, InternalError) as failed:
            _log.error("the builder's cache %s cannot be written: %s", self._path, failed)
            with self._lock:
                self._unsaved |= changed

    def remove(self, keys: Iterable[str]) -> None:
        """Forget records, so that nothing keeps their layers. Blocks.

        A full disk hinders nobody from making room: what the file still tells of is forgotten there later, and without
        its layer it counts for nothing.
        """
        for key in keys:
            self._forget(key)
            with self._lock:
                self._unsaved.add(key)
        self.save()

    def _read(self) -> list[tuple[bytes]]:
        try:
            with closing(self._connect()) as database:
                return database.execute("SELECT record FROM steps").fetchall()
        except sqlite3.Error as error:
            raise InternalError(f"{self._path}: {error}") from error

    def _keep(self, record: CacheRecord) -> None:
        self._records[record.key] = record
        if record.chain:
            self.hold(*_held(record))

    def _forget(self, key: str) -> None:
        record = self._records.pop(key, None)
        if record is not None and record.chain:
            self.release([_held(record)])

    def _connect(self) -> sqlite3.Connection:
        try:
            database = sqlite3.connect(self._path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in {0, _VERSION}:
                raise InternalError(f"{self._path} was written by a newer version of Havre")
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.Error as error:
            raise InternalError(f"the builder's cache {self._path} cannot be used: {error}") from error
        return database


def _held(record: CacheRecord) -> tuple[Digest, Digest]:
    return Digest.parse(record.chain), Digest.parse(record.blob or record.diff)


def _less(counter: Counter[Digest], digest: Digest) -> None:
    counter[digest] -= 1
    if counter[digest] <= 0:
        del counter[digest]
