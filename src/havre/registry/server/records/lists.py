"""Lists: tags, repositories, referrers, and what a search finds; in the order of their bytes, page by page."""

from dataclasses import dataclass

import msgspec

from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.registry.server.pages import Page
from havre.registry.server.records.database import Database


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the registry holds."""

    repositories: int
    manifests: int
    tags: int
    blobs: int
    blob_bytes: int


class Lists:
    """Views of the whole; a page holds one entry more than was asked for when there are more.

    `all_names`, `matching` and `counts` look at everything, and block for as long as that takes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_repository(self, name: str) -> bool:
        """Whether anything was pushed to *name* (and is still there)."""
        return self._database.read_one("SELECT 1 FROM repositories WHERE name = ?", (name,)) is not None

    def tags(self, name: str, page: Page) -> list[str]:
        """The tags of *name*."""
        rows = self._database.read(
            "SELECT tag FROM tags JOIN repositories ON id = repository WHERE name = ? AND tag > ? ORDER BY tag LIMIT ?",
            (name, page.last, page.count + 1),
        )
        return [str(row[0]) for row in rows]

    def repositories(self, page: Page) -> list[str]:
        """Repositories that hold a manifest."""
        rows = self._database.read(
            "SELECT name FROM repositories WHERE name > ? AND EXISTS (SELECT 1 FROM manifests WHERE repository = id)"
            " ORDER BY name LIMIT ?",
            (page.last, page.count + 1),
        )
        return [str(row[0]) for row in rows]

    def all_names(self) -> list[str]:
        """Every repository, with manifests or without."""
        return [str(row[0]) for row in self._database.scan("SELECT name FROM repositories ORDER BY name")]

    def matching(self, term: str) -> list[tuple[str, str]]:
        """Repositories whose names hold *term*, and what their newest tagged image says of itself; at most 1,000."""
        escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = self._database.scan(
            "SELECT name, coalesce((SELECT annotations FROM tags JOIN manifests USING (repository, digest)"
            " WHERE tags.repository = repositories.id ORDER BY set_ns DESC LIMIT 1), '{}')"
            " FROM repositories WHERE name LIKE ? ESCAPE '\\'"
            " AND EXISTS (SELECT 1 FROM manifests WHERE repository = id) ORDER BY length(name), name LIMIT 1000",
            (f"%{escaped}%",),
        )
        return [
            (str(name), _annotations(str(text)).get("org.opencontainers.image.description", "")) for name, text in rows
        ]

    def referrers(self, name: str, subject: Digest, artifact_type: str, page: Page) -> list[Descriptor]:
        """The manifests of *name* that are about *subject*, of one artifact type or (empty) of all."""
        rows = self._database.read(
            "SELECT digest, media_type, size, artifact_type, annotations FROM manifests"
            " JOIN repositories ON id = repository WHERE name = ?1 AND subject = ?2 AND subject <> ''"
            " AND (?3 = '' OR artifact_type = ?3) AND digest > ?4 ORDER BY digest LIMIT ?5",
            (name, str(subject), artifact_type, page.last, page.count + 1),
        )
        return [
            Descriptor(
                digest=str(digest),
                media_type=str(media_type),
                size=int(size),
                artifact_type=str(kind),
                annotations=_annotations(str(annotations)),
            )
            for digest, media_type, size, kind, annotations in rows
        ]

    def counts(self) -> Counts:
        """The totals; a blob that several repositories hold counts once."""
        row = self._database.scan(
            "SELECT (SELECT count(*) FROM repositories), (SELECT count(*) FROM manifests), (SELECT count(*) FROM tags),"
            " count(*), coalesce(sum(size), 0) FROM (SELECT DISTINCT digest, size FROM blobs)"
        )[0]
        return Counts(*(int(value) for value in row))


def _annotations(text: str) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str])
