"""One step of a stage: its result is taken from a cache, or the step is done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from havre.base.ids import new_id
from havre.base.tasks import in_thread, to_the_end
from havre.build.cache import Cache, CacheRecord, record_of
from havre.build.caches.taking import Taking, Wanted
from havre.build.context import Context
from havre.build.fetching import Fetching
from havre.build.graph import CopyOperation, FolderOperation, RunOperation, Step
from havre.build.images import LoadedImage, State, architecture_of
from havre.build.keys import Keys
from havre.build.layers import Workshop
from havre.build.model import BuildEvent, BuildFailed, BuildWishes, LayerMade, StepId, StepOutput, StepRuns
from havre.build.mounts import CacheFolders
from havre.build.seams import Runner
from havre.build.steps.commands import Running
from havre.build.steps.files import Copying, Place
from havre.build.steps.folders import make_folder
from havre.images.platforms import host_platform
from havre.kernel.binfmt import can_run

Tell = Callable[[BuildEvent], Awaitable[None]]
_Make = Callable[[], Awaitable[LayerMade | None]]


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


@dataclass(frozen=True, slots=True)
class Build:
    """One build: what it works with, what the client wants, and how the client is told."""

    materials: Materials
    wishes: BuildWishes
    tell: Tell


@dataclass(frozen=True, slots=True)
class Turn:
    """A step whose turn it is: the *state* that it stands on, and the *places* that it takes files from."""

    id: StepId
    step: Step
    state: State
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a step made, by its *key*, and whether that was *known* already."""

    key: str
    record: CacheRecord
    known: bool


class Doing:
    """Does the steps of a build; with *fresh* also those whose result is known."""

    def __init__(self, build: Build, *, fresh: bool) -> None:
        self._materials = build.materials
        self._wishes = build.wishes
        self._tell = build.tell
        self._fresh = fresh
        self._keys = Keys(build.materials.workshop, build.materials.cache, build.wishes)

    async def result(self, turn: Turn) -> Result:
        """What the step made: it is known here, or to a cache of elsewhere, or it is done now, by one build at a time.

        Raises BuildFailed, CommandFailed, BadArchive, OSError.
        """
        key, make = await self._prepared(turn)
        taken = False

        async def take_or_make() -> CacheRecord:
            nonlocal taken
            record = None if self._fresh else await self._materials.taking.take(Wanted(key, turn.step, turn.state))
            taken = record is not None
            return record if record is not None else _record_of(key, turn, await make())

        record, known = await self._materials.cache.once(key, take_or_make, fresh=self._fresh)
        return Result(key, record, known or taken)

    async def _prepared(self, turn: Turn) -> tuple[str, _Make]:
        """The key of a step, and what does it."""
        state, keys = turn.state, self._keys
        workshop, times_ns = self._materials.workshop, self._wishes.times_ns
        match turn.step.operation:
            case None:
                return keys.of_settings(turn.step, state), _nothing
            case RunOperation() as operation:
                return await keys.of_run(operation, turn.places, state), partial(self._run, turn, operation)
            case CopyOperation() as operation:
                copying = await self._copying(operation, turn.places[0])
                return await keys.of_copy(copying, state), _blocking(partial(copying.make, state.tree, times_ns))
            case FolderOperation() as operation:
                make = partial(make_folder, workshop, state.tree, operation, times_ns)
                return keys.of_folder(operation, state), _blocking(make)

    async def _copying(self, operation: CopyOperation, place: Place) -> Copying:
        """What is to be copied, what comes from elsewhere fetched."""
        operation, fetched = await self._materials.fetching.fetch(operation)
        return Copying(self._materials.workshop, operation, place, fetched)

    async def _run(self, turn: Turn, operation: RunOperation) -> LayerMade | None:
        await _check_machine(turn.state)
        identifier = new_id()
        await self._tell(StepRuns(turn.id, identifier))

        async def output(data: bytes, is_error: bool) -> None:  # noqa: FBT001  the shape of seams.Output
            await self._tell(StepOutput(turn.id, data, is_error))

        materials = self._materials
        running = Running(materials.workshop, materials.runner, materials.folders, self._wishes, operation, turn.places)
        return await running.make(identifier, turn.state.tree, output, self._wishes.times_ns)


async def _check_machine(state: State) -> None:
    """Raises BuildFailed where the commands of *state* are for another machine than this, and none plays it here."""
    own, wanted = host_platform().architecture, architecture_of(state)
    if not await in_thread(can_run, wanted, own):
        raise BuildFailed(
            f"commands for linux/{wanted} cannot run here, which is linux/{own}: install an interpreter in "
            "binfmt_misc (QEMU, with flag F)"
        )


def _blocking(work: Callable[[], LayerMade | None]) -> _Make:
    async def make() -> LayerMade | None:
        return await to_the_end(in_thread(work))

    return make


async def _nothing() -> None:
    """Settings alone make no layer."""


def _record_of(key: str, turn: Turn, layer: LayerMade | None) -> CacheRecord:
    text = turn.step.text
    kind = "settings" if turn.step.operation is None else text.partition(" ")[0].lower()
    return record_of(key, kind, text, layer, turn.state.tree.chain)
