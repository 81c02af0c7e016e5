"""Containers as things: make, find, name, remove."""

import asyncio

from msgspec.structs import replace

from havre.base import clock
from havre.base.errors import HavreError, InvalidInput
from havre.engine import names
from havre.engine.ages import parse_until
from havre.engine.create import create
from havre.engine.inspect import inspect
from havre.engine.lifecycle import State
from havre.engine.links import remove_link
from havre.engine.listing import container_sizes, list_encoded
from havre.engine.matching import label_matcher
from havre.engine.network_joins import tell_names
from havre.engine.parts import Parts
from havre.engine.remove import remove
from havre.engine.roster import NameTaken, NoSuchContainer
from havre.wire.containers import ContainerInspect, CreateContainer, CreateResponse, PruneContainersReport
from havre.wire.filters import Filters
from havre.wire.versions import NEWEST

_PRUNABLE = frozenset({State.CREATED, State.EXITED, State.DEAD})
_PRUNE_FIELDS = frozenset({"until", "label", "label!"})


class Containers:
    """The verbs on containers that do not concern their processes. *ref* is a name, an id or the beginning of one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pruning = asyncio.Lock()

    async def create(self, wanted: CreateContainer, name: str | None, platform: str | None) -> CreateResponse:
        """Make one. Raises InvalidInput, NotSupported, Conflict, and NoSuchImage as the only NotFound."""
        return await create(self._parts, wanted, name, platform)

    async def list(self, *, all: bool, limit: int, size: bool, filters: Filters) -> bytes:  # noqa: A002  the API's own word
        """The rows of `ps` as JSON, the newest first."""
        return await list_encoded(self._parts, every=all, limit=limit, size=size, filters=filters)

    async def inspect(
        self,
        ref: str,
        size: bool,  # noqa: FBT001  the API's own flag
        version: tuple[int, int] = NEWEST,
    ) -> ContainerInspect:
        """Everything about one, as *version* of the API has it; with *size* also how much of the disk it takes."""
        return await inspect(self._parts, self._parts.roster.get(ref), size=size, version=version)

    async def rename(self, ref: str, name: str) -> None:
        """Give it another name, durably. Raises InvalidInput, Conflict."""
        if not ref or not name:
            raise InvalidInput("Neither old nor new names may be empty")
        parts = self._parts
        container = parts.roster.get(ref)
        try:
            new_name = names.parse_name(f"/{name.removeprefix('/')}")
        except InvalidInput as wrong:
            raise InvalidInput(f"Error when allocating new name: {wrong.message}") from None
        async with container.lock:
            if container.gone:
                raise NoSuchContainer(f"No such container: {ref}")
            old_name = container.name
            if new_name == old_name:
                raise InvalidInput("Renaming a container with the same name as its current name")
            try:
                parts.roster.reserve(new_name, container.id)
            except NameTaken as taken:
                raise NameTaken(f"Error when allocating new name: {taken.message}") from None
            # In memory first: what happens to the container while the disk is waited for is then written with it.
            parts.keep(container, replace(container.record, name=new_name))
            try:
                await parts.records.save(container.record)
            except BaseException:
                parts.change(container, replace(container.record, name=old_name))
                parts.roster.release(new_name, container.id)
                raise
            parts.roster.release(old_name, container.id)
            await tell_names(parts, container)
        parts.tell(container, "rename", oldName=f"/{old_name}")

    async def remove(self, ref: str, *, force: bool, volumes: bool, link: bool) -> None:
        """Remove it; with *force* also while it runs. Raises Conflict.

        With *link*, *ref* is `container/alias`, and only that link goes.
        """
        if link:
            await remove_link(self._parts, ref)
            return
        container = self._parts.roster.get(ref)
        await remove(self._parts, container, force=force, volumes=volumes)

    async def prune(self, filters: Filters) -> PruneContainersReport:
        """Remove all that do not run and pass *filters* (`until`, `label`, `label!`)."""
        unknown = filters.keys() - _PRUNE_FIELDS
        if unknown:
            raise InvalidInput(f"Invalid filter '{min(unknown)[:64]}'")
        until_ns = parse_until(filters.get("until", frozenset()), clock.now_ns())
        wanted = label_matcher(filters.get("label", frozenset()))
        unwanted = [label_matcher(frozenset({value})) for value in filters.get("label!", frozenset())]
        deleted: list[str] = []
        reclaimed = 0
        async with self._pruning:
            for container in self._parts.roster:
                record = container.record
                if record.state not in _PRUNABLE or record.created_ns > until_ns:
                    continue
                if not wanted(record) or any(question(record) for question in unwanted):
                    continue
                own, _ = await container_sizes(self._parts, record)
                try:
                    await remove(self._parts, container, force=False)
                except HavreError:
                    continue  # started or removed by somebody else meanwhile
                deleted.append(record.id)
                reclaimed += own
        if deleted:
            self._parts.events.publish("container", "prune", "", {"reclaimed": str(reclaimed)})
        return {"ContainersDeleted": deleted or None, "SpaceReclaimed": reclaimed}
