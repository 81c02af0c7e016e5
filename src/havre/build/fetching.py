"""What ADD takes from elsewhere: files from the web and repositories, fetched for one build and gone with it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from havre.build.context import Context, Contexts
from havre.build.dockerfile.globs import escaped
from havre.build.dockerfile.remotes import GitSource, WebSource, remote_of
from havre.build.graph import CopyOperation
from havre.build.model import Lent
from havre.build.remote import name_of


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files that came: what *sources* mean in *context*. *commit* is set where a repository's own folder came too."""

    context: Context
    sources: tuple[str, ...]
    commit: str = ""


class Fetching:
    """Fetches for one build; what came stays until *undo* is unwound."""

    def __init__(self, contexts: Contexts, lent: Lent, undo: AsyncExitStack) -> None:
        self._contexts = contexts
        self._lent = lent
        self._undo = undo

    async def fetch(self, operation: CopyOperation) -> tuple[CopyOperation, tuple[Fetched, ...]]:
        """*operation* without the sources that are addresses, and what is behind these. Raises BuildFailed."""
        if not operation.is_add:
            return operation, ()
        remotes = {source: remote_of(source) for source in operation.sources}
        local = tuple(source for source, remote in remotes.items() if remote is None)
        fetched = []
        if web := [remote.url for remote in remotes.values() if isinstance(remote, WebSource)]:
            fetched.append(await self._web(web, operation))
        fetched += [await self._git(one, operation) for one in remotes.values() if isinstance(one, GitSource)]
        return replace(operation, sources=local), tuple(fetched)

    async def _web(self, addresses: list[str], operation: CopyOperation) -> Fetched:
        needed = operation.destination.endswith("/")
        names = {name_of(address, needed=needed): address for address in addresses}
        fetching = self._contexts.fetched(names, operation.checksum, self._lent)
        return Fetched(await self._undo.enter_async_context(fetching), tuple(map(escaped, sorted(names))))

    async def _git(self, source: GitSource, operation: CopyOperation) -> Fetched:
        keeps = operation.keep_git_dir or bool(source.keep_git_dir)
        wanted = replace(source, checksum=source.checksum or operation.checksum)
        cloning = self._contexts.cloned(wanted, self._lent, keep_git_dir=keeps)
        context, commit = await self._undo.enter_async_context(cloning)
        return Fetched(context, (f"/{escaped(source.subdir)}",), commit if keeps else "")
