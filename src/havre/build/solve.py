"""Carrying out a graph: stages side by side, each step once, and only those whose result is not known.

A step's key is made of what is written and of what it works on: the tree below it by its layers' digests, files by
their contents. So a changed stage that yields the same files changes nothing behind it.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from havre.base import clock
from havre.base.errors import HavreError
from havre.base.ids import new_id
from havre.base.tasks import in_thread, to_the_end
from havre.build.cache import Cache, CacheRecord, record_of
from havre.build.cache_document import CachedStep
from havre.build.caches.taking import Taking, Wanted
from havre.build.context import Context
from havre.build.dockerfile.globs import escaped
from havre.build.dockerfile.origins import ContextOrigin, EmptyOrigin, ImageOrigin, StageOrigin
from havre.build.fetching import Fetching
from havre.build.graph import (
    CopyOperation,
    FolderOperation,
    Graph,
    Operation,
    RunOperation,
    SentFiles,
    Source,
    StagePlan,
    Step,
    definition,
    origins_of,
)
from havre.build.images import LoadedImage, State, architecture_of, image_id_of
from havre.build.layers import Workshop
from havre.build.model import (
    BuildEvent,
    BuildFailed,
    BuildWishes,
    LayerMade,
    StepBroke,
    StepDone,
    StepId,
    StepOutput,
    StepRuns,
    StepStarted,
    Tree,
)
from havre.build.mounts import CacheFolders
from havre.build.seams import Runner
from havre.build.steps.commands import Running
from havre.build.steps.files import Copying, Place
from havre.build.steps.folders import make_folder
from havre.images.platforms import host_platform, wished_platform
from havre.kernel.binfmt import can_run
from havre.oci.image_config import History

Tell = Callable[[BuildEvent], Awaitable[None]]
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """What a build works with; *images* by name and platform as the graph names them."""

    workshop: Workshop
    cache: Cache
    runner: Runner
    folders: CacheFolders
    context: Context
    fetching: Fetching
    images: Mapping[tuple[str, str], LoadedImage]
    taking: Taking


class Solver:
    """Solves one graph for one build."""

    def __init__(self, graph: Graph, materials: Materials, wishes: BuildWishes, tell: Tell) -> None:
        self._graph = graph
        self._materials = materials
        self._wishes = wishes
        self._tell = tell
        self._numbers: dict[int, int] = {}
        self.broken: State | None = None
        """What stood before the first step that failed."""
        self._done: dict[int, asyncio.Future[State]] = {}
        self._used: dict[int, list[CacheRecord]] = {index: [] for index in graph.stages}
        number = 0
        for index, stage in graph.stages.items():
            self._numbers[index] = number
            number += 1 + len(stage.steps)

    async def solve(self) -> State:
        """What the target ends with. The first failure ends all other work and is raised."""
        loop = asyncio.get_running_loop()
        self._done = {index: loop.create_future() for index in self._graph.stages}
        try:
            async with asyncio.TaskGroup() as group:
                for stage in self._graph.stages.values():
                    group.create_task(self._stage(stage), name=f"build stage {stage.index}")
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            for future in self._done.values():
                future.cancel()
        return self._done[self._graph.target].result()

    async def _stage(self, stage: StagePlan) -> None:
        self._done[stage.index].set_result(await _Stage(self, stage).solve())

    async def state_of(self, index: int) -> State:
        """What a stage ends with, once it has."""
        return await asyncio.shield(self._done[index])  # many may wait, and one of them be cancelled

    def used(self, stage: int, record: CacheRecord) -> None:
        """A step of *stage* has this result."""
        self._used[stage].append(record)

    def records(self, *, whole: bool) -> list[CacheRecord]:
        """The results of all steps of the target and of the stages below it; of all stages, if *whole*."""
        wanted: list[int] = []
        origin: Source = StageOrigin(self._graph.target)
        while isinstance(origin, StageOrigin):
            wanted.append(origin.index)
            origin = self._graph.stages[origin.index].base
        stages = self._graph.stages if whole else reversed(wanted)
        return [record for index in stages for record in self._used[index]]

    def step_id(self, stage: StagePlan, position: int) -> StepId:
        """The step at *position* of *stage*, 0 being its FROM."""
        return StepId(
            number=self._numbers[stage.index] + position + 1,
            total=self._graph.total,
            stage=stage.index,
            stage_name=stage.name,
            position=position + 1,
            stage_steps=len(stage.steps) + 1,
        )

    @property
    def materials(self) -> Materials:
        """What the build works with."""
        return self._materials

    @property
    def wishes(self) -> BuildWishes:
        """What the client wants."""
        return self._wishes

    async def tell(self, event: BuildEvent) -> None:
        """Tell the client."""
        await self._tell(event)

    async def place_of(self, source: Source, platform: str = "") -> Place | None:
        """Where files come from; None for no files at all."""
        match source:
            case SentFiles():
                return self._materials.context
            case StageOrigin(index):
                return (await self.state_of(index)).tree
            case ImageOrigin(name):
                return self._materials.images[name, platform].tree
            case EmptyOrigin():
                return Tree()
            case ContextOrigin(name):
                return self._named(name)

    def _named(self, name: str) -> Context:
        context = self._materials.context.named.get(name)
        if context is None:
            raise BuildFailed(f"named context {name} is neither an image nor was it sent along")
        return context


class _Stage:
    """One stage, step by step."""

    def __init__(self, solver: Solver, plan: StagePlan) -> None:
        self._solver = solver
        self._plan = plan
        self._materials = solver.materials
        wishes = solver.wishes
        names = {plan.name, str(plan.index)} - {""}
        self._fresh = wishes.no_cache or bool(names & set(wishes.no_cache_stages))
        self._epoch_ns = None if wishes.source_date_epoch_s is None else wishes.source_date_epoch_s * _NS
        self._times_ns = self._epoch_ns if wishes.rewrite_timestamps else None

    async def solve(self) -> State:
        """What the stage ends with."""
        first = self._solver.step_id(self._plan, 0)
        state = await self._begin()
        await self._solver.tell(StepStarted(first, self._plan.text))
        await self._solver.tell(StepDone(first, image_id_of(state)))
        for position, step in enumerate(self._plan.steps, 1):
            state = await self._step(self._solver.step_id(self._plan, position), step, state)
        return state

    async def _begin(self) -> State:
        base = self._plan.base
        cached = () if self._solver.wishes.inline_cache else None
        if isinstance(base, StageOrigin):
            return await self._solver.state_of(base.index)
        if isinstance(base, ContextOrigin):
            raise BuildFailed(f"a stage cannot begin on the named context {base.name}, which is no image")
        if isinstance(base, ImageOrigin):
            image = self._materials.images[base.name, self._plan.platform]
            return State(
                tree=image.tree,
                settings=self._plan.settings,
                base=image.config,
                base_id=image.id,
                lineage=_digest("image", image.id),
                cached=cached,
            )
        wanted = self._plan.platform or self._solver.wishes.platform
        return State(
            tree=Tree(),
            settings=self._plan.settings,
            lineage=_digest("scratch"),
            cached=cached,
            platform=wished_platform(wanted),
        )

    async def _step(self, step_id: StepId, step: Step, state: State) -> State:
        places = [await self._solver.place_of(origin) for origin in origins_of(step.operation)]
        await self._solver.tell(StepStarted(step_id, step.text))
        try:
            key, make = await self._prepared(step_id, step, state, places)
            record, cached = await self._result(Wanted(key, step, state), make)
        except (HavreError, OSError) as failed:
            line = step.location.first if step.location is not None else 0
            await self._solver.tell(StepBroke(step_id, str(failed), line))
            self._solver.broken = self._solver.broken or state
            raise
        layer = record.layer()
        created = clock.rfc3339(self._epoch_ns if self._epoch_ns is not None else record.created_ns)
        told = History(
            created=created,
            created_by=step.created_by,
            author=step.settings.author,
            empty_layer=layer is None,
        )
        after = replace(
            state,
            tree=state.tree if layer is None else state.tree.on_top(layer),
            settings=step.settings,
            history=(*state.history, told),
            lineage=_digest(state.lineage, key),
            cached=None if state.cached is None else (*state.cached, _cached(record, len(state.tree.layers))),
        )
        await self._solver.tell(StepDone(step_id, image_id_of(after), cached))
        return after

    async def _result(self, wanted: Wanted, make: Callable[[], Awaitable[CacheRecord]]) -> tuple[CacheRecord, bool]:
        """What the step made, and whether that was known: here, or to a cache of elsewhere."""
        taken = False

        async def take_or_make() -> CacheRecord:
            nonlocal taken
            record = None if self._fresh else await self._materials.taking.take(wanted)
            taken = record is not None
            return record if record is not None else await make()

        record, known = await self._materials.cache.once(wanted.key, take_or_make, fresh=self._fresh)
        self._solver.used(self._plan.index, record)
        return record, known or taken

    async def _prepared(
        self, step_id: StepId, step: Step, state: State, places: list[Place | None]
    ) -> tuple[str, Callable[[], Awaitable[CacheRecord]]]:
        """The key of a step, and what does it."""
        operation = step.operation
        match operation:
            case None:
                key = _digest("settings", step.created_by, state.lineage)
                return key, partial(self._nothing, key, step)
            case RunOperation():
                key = await self._run_key(operation, places, state)
                return key, partial(self._run, key, step_id, step, operation, (state, tuple(places)))
            case CopyOperation():
                place = places[0] if places[0] is not None else Tree()
                copying = await self._copying(operation, place)
                content = await self._content(copying)
                bare = replace(copying.operation, origin=SentFiles())
                key = self._key(bare, state, content)
                return key, partial(
                    self._in_thread, key, step, state, partial(copying.make, state.tree, self._times_ns)
                )
            case FolderOperation():
                key = self._key(operation, state)
                work = partial(make_folder, self._materials.workshop, state.tree, operation, self._times_ns)
                return key, partial(self._in_thread, key, step, state, work)

    async def _copying(self, operation: CopyOperation, place: Place) -> Copying:
        """What is to be copied, what comes from elsewhere fetched."""
        operation, fetched = await self._materials.fetching.fetch(operation)
        return Copying(self._materials.workshop, operation, place, fetched)

    def _key(self, operation: Operation, state: State, *contents: str) -> str:
        return _digest(definition(operation).hex(), str(state.tree.chain), str(self._times_ns), *contents)

    async def _run_key(self, operation: RunOperation, places: list[Place | None], state: State) -> str:
        contents = []
        for mount, place in zip(operation.mounts, places, strict=True):
            if isinstance(place, Tree):
                contents.append(str(place.chain))
            elif isinstance(place, Context):
                source = escaped(mount.mount.source or "/")
                wanted = CopyOperation(origin=SentFiles(), sources=(source,), destination="/")
                contents.append(await self._content(Copying(self._materials.workshop, wanted, place)))
        wishes = self._solver.wishes
        around = (wishes.network, wishes.hostname, *wishes.extra_hosts, *wishes.security_options)
        return self._key(operation, state, *around, "", *contents)

    async def _content(self, copying: Copying) -> str:
        """The digest of files; that of a tree's is kept, since a chain never changes."""
        place = copying.place
        if isinstance(place, Context):
            return await to_the_end(in_thread(copying.content))
        operation = copying.operation
        key = _digest(
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

        record, _ = await self._materials.cache.once(key, sum_up)
        return record.value

    async def _nothing(self, key: str, step: Step) -> CacheRecord:
        return record_of(key, "settings", step.text, None, None)

    async def _in_thread(self, key: str, step: Step, state: State, work: Callable[[], LayerMade | None]) -> CacheRecord:
        layer = await to_the_end(in_thread(work))
        return record_of(key, _kind(step), step.text, layer, state.tree.chain)

    async def _run(
        self,
        key: str,
        step_id: StepId,
        step: Step,
        operation: RunOperation,
        inputs: tuple[State, tuple[Place | None, ...]],
    ) -> CacheRecord:
        state, places = inputs
        own, wanted = host_platform().architecture, architecture_of(state)
        if not await in_thread(can_run, wanted, own):
            raise BuildFailed(
                f"commands for linux/{wanted} cannot run here, which is linux/{own}: install an interpreter in "
                "binfmt_misc (QEMU, with flag F)"
            )
        identifier = new_id()
        materials = self._materials
        await self._solver.tell(StepRuns(step_id, identifier))

        async def output(data: bytes, is_error: bool) -> None:  # noqa: FBT001  the shape of seams.Output
            await self._solver.tell(StepOutput(step_id, data, is_error))

        running = Running(
            materials.workshop, materials.runner, materials.folders, self._solver.wishes, operation, places
        )
        layer = await running.make(identifier, state.tree, output, self._times_ns)
        return record_of(key, _kind(step), step.text, layer, state.tree.chain)


def _cached(record: CacheRecord, depth: int) -> CachedStep:
    return CachedStep(key=record.key, created_ns=record.created_ns, layer=depth if record.chain else -1)


def _kind(step: Step) -> str:
    return step.text.partition(" ")[0].lower()


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure that is worth telling: nested groups come from stages that waited for others."""
    for failure in failures.exceptions:
        return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
    return failures
