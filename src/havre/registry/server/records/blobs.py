"""Which blobs a repository holds. The bytes lie once in the content store, whoever holds them."""

from collections.abc import Iterable

from havre.oci.digest import Digest
from havre.registry.server.records.database import Database, repository_id


class BlobRecords:
    """The blobs of every repository."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str, digest: Digest) -> int | None:
        """The size of the blob, if the repository *name* holds it."""
        row = self._database.read_one(
            "SELECT size FROM blobs JOIN repositories ON id = repository WHERE name = ? AND digest = ?",
            (name, str(digest)),
        )
        return int(row[0]) if row else None

    def add(self, name: str, digest: Digest, size: int) -> None:
        """Let *name* hold a blob that the content store has."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO blobs VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (repository_id(cursor, name), str(digest), size),
            )

    def mount(self, name: str, digest: Digest, source: str) -> bool:
        """Let *name* hold a blob that *source* holds; tells whether that was so."""
        with self._database.transaction() as cursor:
            row = cursor.execute(
                "SELECT size FROM blobs JOIN repositories ON id = repository WHERE name = ? AND digest = ?",
                (source, str(digest)),
            ).fetchone()
            if row is not None:
                cursor.execute(
                    "INSERT INTO blobs VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (repository_id(cursor, name), str(digest), row[0]),
                )
            return row is not None

    def holders(self, digest: Digest) -> list[str]:
        """Repositories that hold the blob; a hundred at most."""
        rows = self._database.read(
            "SELECT name FROM blobs JOIN repositories ON id = repository WHERE digest = ? ORDER BY name LIMIT 100",
            (str(digest),),
        )
        return [str(row[0]) for row in rows]

    def users(self, name: str, digest: Digest) -> list[str]:
        """Manifests of *name* that need the blob; a few of them, for a message."""
        rows = self._database.read(
            "SELECT manifest FROM parts JOIN repositories ON id = repository WHERE name = ? AND digest = ? LIMIT 3",
            (name, str(digest)),
        )
        return [str(row[0]) for row in rows]

    def remove_unneeded(self, name: str, digests: Iterable[Digest]) -> list[Digest]:
        """Let *name* no longer hold those of *digests* that none of its manifests needs; tells which."""
        gone: list[Digest] = []
        with self._database.transaction() as cursor:
            for digest in digests:
                cursor.execute(
                    "DELETE FROM blobs WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2"
                    " AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.repository = blobs.repository"
                    " AND parts.digest = ?2)",
                    (name, str(digest)),
                )
                if cursor.rowcount:
                    gone.append(digest)
        return gone

    def unneeded(self, name: str) -> list[Digest]:
        """The blobs that *name* holds and that none of its manifests needs."""
        rows = self._database.scan(
            "SELECT digest FROM blobs JOIN repositories ON id = blobs.repository WHERE name = ? AND NOT EXISTS"
            " (SELECT 1 FROM parts WHERE parts.repository = blobs.repository AND parts.digest = blobs.digest)",
            (name,),
        )
        return [Digest.parse(str(row[0])) for row in rows]

    def held(self) -> frozenset[Digest]:
        """Every digest, of blobs and of manifests, that any repository holds."""
        rows = self._database.scan("SELECT digest FROM blobs UNION SELECT digest FROM manifests")
        return frozenset(Digest.parse(str(row[0])) for row in rows)
