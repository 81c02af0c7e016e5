"""Carrying out a graph: stages side by side, the steps of each in their order, and each step once."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

from havre.base import clock
from havre.base.errors import HavreError
from havre.build.cache import CacheRecord
from havre.build.cache_document import CachedStep
from havre.build.context import Context
from havre.build.dockerfile.origins import ContextOrigin, EmptyOrigin, ImageOrigin, StageOrigin
from havre.build.doing import Build, Doing, Materials, Result, Tell, Turn
from havre.build.graph import Graph, SentFiles, Source, StagePlan, Step, origins_of
from havre.build.images import State, image_id_of
from havre.build.keys import digest
from havre.build.model import BuildFailed, BuildWishes, StepBroke, StepDone, StepId, StepStarted, Tree
from havre.build.steps.files import Place
from havre.images.platforms import wished_platform
from havre.oci.image_config import History


class Solver:
    """Solves one graph for one build, once."""

    def __init__(self, graph: Graph, materials: Materials, wishes: BuildWishes, tell: Tell) -> None:
        build = Build(materials, wishes, tell)
        self._graph = graph
        self._ends = _Ends(materials, graph.stages)
        ids = _step_ids(graph)
        self._stages = {index: _Stage(build, plan, ids[index], self._ends) for index, plan in graph.stages.items()}

    async def solve(self) -> State:
        """What the target ends with. The first failure ends all other work and is raised."""
        try:
            async with asyncio.TaskGroup() as group:
                for index in self._stages:
                    group.create_task(self._solve_stage(index), name=f"build stage {index}")
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            self._ends.give_up()
        return await self._ends.state_of(self._graph.target)

    async def _solve_stage(self, index: int) -> None:
        self._ends.reached(index, await self._stages[index].solve())

    @property
    def broken(self) -> State | None:
        """What stood before the first step that failed."""
        return next((stage.broken for stage in self._stages.values() if stage.broken is not None), None)

    def records(self, *, whole: bool) -> list[CacheRecord]:
        """The results of all steps of the target and of the stages below it; of all stages, if *whole*."""
        wanted = self._stages if whole else reversed(list(self._below_target()))
        return [record for index in wanted for record in self._stages[index].records]

    def _below_target(self) -> Iterator[int]:
        """The target, the stage that it begins on, and so on."""
        origin: Source = StageOrigin(self._graph.target)
        while isinstance(origin, StageOrigin):
            yield origin.index
            origin = self._graph.stages[origin.index].base


class _Ends:
    """What the stages of a build end with, and with that all places that files come from."""

    def __init__(self, materials: Materials, stages: Iterable[int]) -> None:
        self._context = materials.context
        self._images = materials.images
        loop = asyncio.get_running_loop()
        self._states: dict[int, asyncio.Future[State]] = {index: loop.create_future() for index in stages}

    def reached(self, index: int, state: State) -> None:
        """The stage *index* ends with *state*."""
        self._states[index].set_result(state)

    def give_up(self) -> None:
        """No stage will end any more; those that have keep their states."""
        for state in self._states.values():
            state.cancel()

    async def state_of(self, index: int) -> State:
        """What a stage ends with, once it has."""
        return await asyncio.shield(self._states[index])  # many may wait, and one of them be cancelled

    async def place_of(self, source: Source) -> Place:
        """Where files come from, once they are there. Raises BuildFailed for a named context that did not come."""
        match source:
            case SentFiles():
                return self._context
            case StageOrigin(index):
                return (await self.state_of(index)).tree
            case ImageOrigin(name):
                return self._images[name, ""].tree
            case EmptyOrigin():
                return Tree()
            case ContextOrigin(name):
                return self._named(name)

    def _named(self, name: str) -> Context:
        context = self._context.named.get(name)
        if context is None:
            raise BuildFailed(f"named context {name} is neither an image nor was it sent along")
        return context


class _Stage:
    """One stage, step by step; *ids* are those of its FROM and of its steps."""

    def __init__(self, build: Build, plan: StagePlan, ids: tuple[StepId, ...], ends: _Ends) -> None:
        self._plan = plan
        self._ids = ids
        self._ends = ends
        self._images = build.materials.images
        self._wishes = build.wishes
        self._tell = build.tell
        names = {plan.name, str(plan.index)} - {""}
        fresh = build.wishes.no_cache or bool(names & set(build.wishes.no_cache_stages))
        self._doing = Doing(build, fresh=fresh)
        self.records: list[CacheRecord] = []
        """The results of its steps so far."""
        self.broken: State | None = None
        """What stood before the step that failed."""

    async def solve(self) -> State:
        """What the stage ends with. Raises what a step fails with."""
        first, *others = self._ids
        state = await self._base()
        await self._tell(StepStarted(first, self._plan.text))
        await self._tell(StepDone(first, image_id_of(state)))
        for step_id, step in zip(others, self._plan.steps, strict=True):
            state = await self._step(step_id, step, state)
        return state

    async def _base(self) -> State:
        base = self._plan.base
        if isinstance(base, StageOrigin):
            return await self._ends.state_of(base.index)
        if isinstance(base, ContextOrigin):
            raise BuildFailed(f"a stage cannot begin on the named context {base.name}, which is no image")
        cached = () if self._wishes.inline_cache else None
        if isinstance(base, ImageOrigin):
            image = self._images[base.name, self._plan.platform]
            return State(
                tree=image.tree,
                settings=self._plan.settings,
                base=image.config,
                base_id=image.id,
                lineage=digest("image", image.id),
                cached=cached,
            )
        return State(
            tree=Tree(),
            settings=self._plan.settings,
            lineage=digest("scratch"),
            cached=cached,
            platform=wished_platform(self._plan.platform or self._wishes.platform),
        )

    async def _step(self, step_id: StepId, step: Step, state: State) -> State:
        """What stands after *step*. It begins for the client when all that it takes files from is there."""
        places = tuple([await self._ends.place_of(origin) for origin in origins_of(step.operation)])
        await self._tell(StepStarted(step_id, step.text))
        try:
            result = await self._doing.result(Turn(step_id, step, state, places))
        except (HavreError, OSError) as failed:
            line = step.location.first if step.location is not None else 0
            await self._tell(StepBroke(step_id, str(failed), line))
            self.broken = state
            raise
        self.records.append(result.record)
        after = self._after(step, state, result)
        await self._tell(StepDone(step_id, image_id_of(after), result.known))
        return after

    def _after(self, step: Step, state: State, result: Result) -> State:
        """*state* with what *step* made of it."""
        record, layer, epoch_ns = result.record, result.record.layer(), self._wishes.epoch_ns
        told = History(
            created=clock.rfc3339(record.created_ns if epoch_ns is None else epoch_ns),
            created_by=step.created_by,
            author=step.settings.author,
            empty_layer=layer is None,
        )
        depth = len(state.tree.layers) if layer is not None else -1
        cached = CachedStep(key=record.key, created_ns=record.created_ns, layer=depth)
        return replace(
            state,
            tree=state.tree if layer is None else state.tree.on_top(layer),
            settings=step.settings,
            history=(*state.history, told),
            lineage=digest(state.lineage, result.key),
            cached=None if state.cached is None else (*state.cached, cached),
        )


def _step_ids(graph: Graph) -> dict[int, tuple[StepId, ...]]:
    """For each stage the ids of its FROM and of its steps, numbered through the whole graph."""
    ids: dict[int, tuple[StepId, ...]] = {}
    before = 0
    for index, stage in graph.stages.items():
        count = 1 + len(stage.steps)
        ids[index] = tuple(
            StepId(
                number=before + position,
                total=graph.total,
                stage=index,
                stage_name=stage.name,
                position=position,
                stage_steps=count,
            )
            for position in range(1, count + 1)
        )
        before += count
    return ids


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure that is worth telling: nested groups come from stages that waited for others."""
    for failure in failures.exceptions:
        return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
    return failures
