"""What the results of steps are known by: made of all that is written about a step and of all that it works on.

The tree below a step counts by its layers' digests, files by their contents. So a changed stage that yields the same
files changes nothing behind it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from havre.base.tasks import in_thread, to_the_end
from havre.build.cache import Cache, CacheRecord, record_of
from havre.build.context import Context
from havre.build.dockerfile.globs import escaped
from havre.build.graph import CopyOperation, FolderOperation, Operation, RunOperation, SentFiles, Step, definition
from havre.build.images import State
from havre.build.layers import Workshop
from havre.build.model import BuildWishes, Tree
from havre.build.steps.files import Copying, Place


class Keys:
    """The keys of one build. What trees hold is summed up once and kept in *cache*, since a tree never changes."""

    def __init__(self, workshop: Workshop, cache: Cache, wishes: BuildWishes) -> None:
        self._workshop = workshop
        self._cache = cache
        self._wishes = wishes

    @staticmethod
    def of_settings(step: Step, state: State) -> str:
        """Of a step that changes no file."""
        return digest("settings", step.created_by, state.lineage)

    def of_folder(self, operation: FolderOperation, state: State) -> str:
        """Of a working folder."""
        return self._key(operation, state)

    async def of_copy(self, copying: Copying, state: State) -> str:
        """Of files that are copied: where they come from does not matter. Raises BuildFailed."""
        bare = replace(copying.operation, origin=SentFiles())
        return self._key(bare, state, await self._content(copying))

    async def of_run(self, operation: RunOperation, places: Iterable[Place], state: State) -> str:
        """Of a command with what is mounted for it from *places*, in the order of its mounts. Raises BuildFailed."""
        contents = [
            str(place.chain)
            if isinstance(place, Tree)
            else await self._content(self._mounted(mount.mount.source, place))
            for mount, place in zip(operation.mounts, places, strict=True)
        ]
        wishes = self._wishes
        around = (wishes.network, wishes.hostname, *wishes.extra_hosts, *wishes.security_options)
        return self._key(operation, state, *around, "", *contents)

    def _key(self, operation: Operation, state: State, *contents: str) -> str:
        return digest(definition(operation).hex(), str(state.tree.chain), str(self._wishes.times_ns), *contents)

    def _mounted(self, source: str, place: Context) -> Copying:
        """A mount's source is a path: as if the one file or folder of that name were copied."""
        files = CopyOperation(origin=SentFiles(), sources=(escaped(source or "/"),), destination="/")
        return Copying(self._workshop, files, place)

    async def _content(self, copying: Copying) -> str:
        """The digest of files."""
        place = copying.place
        if isinstance(place, Context):
            return await to_the_end(in_thread(copying.content))
        operation = copying.operation
        key = digest(
            "files",
            str(place.chain),
            str(operation.is_add),
            str(bool(operation.chown)),
            str(operation.parents),
            *operation.sources,
            "",
            *operation.excludes,
        )

        async def sum_up() -> CacheRecord:
            value = await to_the_end(in_thread(copying.content))
            return record_of(key, "files", " ".join(operation.sources), None, None, value)

        record, _ = await self._cache.once(key, sum_up)
        return record.value


def digest(*words: str) -> str:
    """One word for many."""
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()
