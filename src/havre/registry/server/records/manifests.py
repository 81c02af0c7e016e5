"""The manifests of each repository, what they need, and the tags that name them."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from havre.base.clock import now_ns
from havre.oci.digest import Digest
from havre.registry.server.described import Described
from havre.registry.server.records.database import Database, Value, repository_id
from havre.registry.server.refusal import Code, Refusal


@dataclass(frozen=True, slots=True)
class Held:
    """A manifest that a repository holds, and since when (nanoseconds since the epoch)."""

    digest: Digest
    media_type: str
    size: int
    since_ns: int = 0


class ManifestRecords:
    """The manifests and tags of every repository."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_digest(self, name: str, digest: Digest) -> Held | None:
        """The manifest *digest* of the repository *name*."""
        row = self._database.read_one(
            "SELECT digest, media_type, size, pushed_ns FROM manifests JOIN repositories ON id = repository"
            " WHERE name = ? AND digest = ?",
            (name, str(digest)),
        )
        return _held(row)

    def by_tag(self, name: str, tag: str) -> Held | None:
        """The manifest that *tag* names now."""
        row = self._database.read_one(
            "SELECT manifests.digest, media_type, size, pushed_ns FROM tags JOIN repositories ON id = tags.repository"
            " JOIN manifests USING (repository, digest) WHERE name = ? AND tag = ?",
            (name, tag),
        )
        return _held(row)

    def put(self, name: str, described: Described, tags: Sequence[str], *, whole: bool = True) -> None:
        """Let *name* hold a manifest that the content store has, and set *tags* to it: all in one step.

        Raises Refusal when *whole* and the repository lacks a blob or manifest that it needs.
        """
        with self._database.transaction() as cursor:
            repository = repository_id(cursor, name)
            if whole:
                _check_parts(cursor, repository, described)
            _insert(cursor, repository, described)
            cursor.executemany(
                "INSERT INTO tags VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest,"
                " set_ns = excluded.set_ns",
                [(repository, tag, str(described.digest), now_ns()) for tag in tags],
            )

    def untag(self, name: str, tag: str) -> bool:
        """Take *tag* away; tells whether it was there."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "DELETE FROM tags WHERE repository = (SELECT id FROM repositories WHERE name = ?) AND tag = ?",
                (name, tag),
            )
            return cursor.rowcount > 0

    def remove(self, name: str, digest: Digest) -> bool:
        """Take the manifest away, with the tags that name it; tells whether it was there."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "DELETE FROM manifests WHERE repository = (SELECT id FROM repositories WHERE name = ?) AND digest = ?",
                (name, str(digest)),
            )
            return cursor.rowcount > 0

    def remove_repository_if_empty(self, name: str) -> bool:
        """Forget a repository that holds nothing; tells whether it did."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "DELETE FROM repositories WHERE name = ?"
                " AND NOT EXISTS (SELECT 1 FROM blobs WHERE repository = id)"
                " AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = id)",
                (name,),
            )
            return cursor.rowcount > 0

    def renew(self, name: str, digest: Digest) -> None:
        """Let the manifest count as pushed just now."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE manifests SET pushed_ns = ? WHERE digest = ?"
                " AND repository = (SELECT id FROM repositories WHERE name = ?)",
                (now_ns(), str(digest), name),
            )

    def older(self, name: str, before_ns: int) -> list[Digest]:
        """Manifests pushed, or renewed, before *before_ns*."""
        rows = self._database.scan(
            "SELECT digest FROM manifests JOIN repositories ON id = repository WHERE name = ? AND pushed_ns < ?",
            (name, before_ns),
        )
        return [Digest.parse(str(row[0])) for row in rows]

    def untagged(self, name: str, before_ns: int) -> list[Digest]:
        """Manifests pushed before *before_ns* that no tag names, no index lists, and that are about no other one."""
        rows = self._database.scan(
            "SELECT digest FROM manifests JOIN repositories ON id = manifests.repository WHERE name = ?"
            " AND pushed_ns < ? AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.repository = manifests.repository"
            " AND tags.digest = manifests.digest) AND NOT EXISTS (SELECT 1 FROM parts WHERE"
            " parts.repository = manifests.repository AND parts.digest = manifests.digest) AND NOT EXISTS (SELECT 1"
            " FROM manifests AS whole WHERE whole.repository = manifests.repository"
            " AND manifests.subject <> '' AND whole.digest = manifests.subject)",
            (name, before_ns),
        )
        return [Digest.parse(str(row[0])) for row in rows]


def _held(row: tuple[Value, ...] | None) -> Held | None:
    return Held(Digest.parse(str(row[0])), str(row[1]), int(row[2]), int(row[3])) if row else None


def _insert(cursor: sqlite3.Cursor, repository: int, described: Described) -> None:
    cursor.execute(
        "INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE SET"
        " media_type = excluded.media_type, subject = excluded.subject, artifact_type = excluded.artifact_type,"
        " pushed_ns = excluded.pushed_ns",
        (
            repository,
            str(described.digest),
            described.media_type,
            described.size,
            str(described.subject or ""),
            described.artifact_type,
            msgspec.json.encode(described.annotations).decode(),
            now_ns(),
        ),
    )
    parts: Iterable[Digest] = (*(blob for blob, _ in described.blobs), *described.children)
    cursor.executemany(
        "INSERT INTO parts VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(repository, str(described.digest), str(part)) for part in parts],
    )


def _check_parts(cursor: sqlite3.Cursor, repository: int, described: Described) -> None:
    for digest, size in described.blobs:
        row = cursor.execute(
            "SELECT size FROM blobs WHERE repository = ? AND digest = ?", (repository, str(digest))
        ).fetchone()
        if row is None:
            raise _missing(f"the repository has no blob {digest}", digest)
        if row[0] != size:
            raise Refusal(
                Code.SIZE_INVALID, f"blob {digest} has {row[0]} bytes, not {size}", detail={"digest": str(digest)}
            )
    for digest in described.children:
        row = cursor.execute(
            "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?", (repository, str(digest))
        ).fetchone()
        if row is None:
            raise _missing(f"the repository has no manifest {digest}", digest)


def _missing(message: str, digest: Digest) -> Refusal:
    return Refusal(Code.MANIFEST_BLOB_UNKNOWN, message, detail={"digest": str(digest)})
