"""Where a registry finds what it is asked for: in its own store, or (a pull-through cache) in another registry too."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.oci.digest import Digest
from havre.registry.server.pages import Page
from havre.registry.server.paths import ManifestAt
from havre.registry.server.records.manifests import Held
from havre.registry.server.refusal import Code, Refusal
from havre.registry.server.repositories import Repositories


class Arriving(Protocol):
    """A blob on its way in: its bytes can be read while they come."""

    size: int

    def read(self, first: int, last: int) -> AsyncIterator[bytes]:
        """The bytes from *first* to *last*, as they come. Raises Refusal when they stop coming."""


class Source(Protocol):
    """Finds manifests, tags and blobs; what it finds elsewhere is kept."""

    async def manifest(self, at: ManifestAt) -> Held:
        """A manifest, which the store has by now. Raises Refusal."""

    async def blob(self, name: str, digest: Digest) -> int | Arriving:
        """The size of a blob that the store has, or one that is arriving. Raises Refusal."""

    async def blob_size(self, name: str, digest: Digest) -> int:
        """The size of a blob, there or elsewhere. Raises Refusal."""

    async def tags(self, name: str, page: Page) -> list[str]:
        """The tags of *page*, and one more if there are more. Raises Refusal for a repository that is not known."""


class Own:
    """The store and nothing else."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    async def manifest(self, at: ManifestAt) -> Held:
        """See Source."""
        return self._repositories.find_manifest(at)

    async def blob(self, name: str, digest: Digest) -> int | Arriving:
        """See Source."""
        return self._repositories.blob_size(name, digest)

    async def blob_size(self, name: str, digest: Digest) -> int:
        """See Source."""
        return self._repositories.blob_size(name, digest)

    async def tags(self, name: str, page: Page) -> list[str]:
        """See Source."""
        lists = self._repositories.records.lists
        if not lists.has_repository(name):
            raise Refusal(Code.NAME_UNKNOWN, "repository name not known to registry", detail={"name": name})
        return lists.tags(name, page)
