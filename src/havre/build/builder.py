"""One build from the first byte of its context to the image: received, read, planned, solved, published."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass

from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.base.tasks import in_thread, to_the_end
from havre.build.cache import Cache, CacheRecord
from havre.build.cache_places import CacheKind, CachePlace
from havre.build.caches.giving import packed, push
from havre.build.caches.sources import CacheSources, sent_name
from havre.build.caches.taking import Taking
from havre.build.context import REMOTES, Context, Contexts
from havre.build.dockerfile.ignore import IGNORE_FILE, Ignore
from havre.build.dockerfile.parser import decode, parse
from havre.build.dockerfile.program import read_document
from havre.build.dockerfile.scope import Platforms, unused_args, unused_args_warning
from havre.build.doing import Materials
from havre.build.fetching import Fetching
from havre.build.graph import Graph, named_contexts
from havre.build.images import LoadedImage, State, load_image, make_image
from havre.build.including import with_included
from havre.build.layers import Workshop
from havre.build.looking import Source, look
from havre.build.model import (
    BuildEvent,
    BuildFailed,
    BuildWishes,
    Built,
    CacheOffered,
    Noticed,
    PullTold,
    Report,
    Tagged,
)
from havre.build.mounts import CacheFolders
from havre.build.plan import Demands, Needed, Planner
from havre.build.seams import ImageSource, Runner, Trees
from havre.build.solve import Solver
from havre.build.squash import squashed
from havre.images.candidate import Arrival
from havre.images.images import Images
from havre.images.platforms import host_platform, wished_platform
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.oci.reference import Reference
from havre.registry.client.registries import Registries, credentials_for

_SENT = "sent://"
Tell = Callable[[BuildEvent], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What builds stand on; of one data root."""

    images: Images
    trees: Trees
    cache: Cache
    contexts: Contexts
    folders: CacheFolders
    source: ImageSource
    runner: Runner
    registries: Registries


@dataclass(frozen=True, slots=True)
class _Read:
    """A Dockerfile that was read, and what the client wants of it."""

    source: Source
    planner: Planner
    needed: Needed


class Builder:
    """Builds images. Builds go on side by side; a step that two of them need is done once."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def build(self, body: AsyncIterator[bytes], wishes: BuildWishes, tell: Tell) -> str:
        """Build what the archive *body* and *wishes* say; the image's id.

        Raises BadArchive, DockerfileError, BuildFailed, NoSuchImage, NotSupported and what the rooms below raise;
        nothing is left then but what the cache keeps.
        """
        names = tuple(_name(text) for text in wishes.names)
        async with self._context(body, wishes) as context:
            read = await to_the_end(in_thread(self._plan, context, wishes))
            return await _Build(self._rooms, context, wishes, tell).build(read, names)

    async def look(self, body: AsyncIterator[bytes], wishes: BuildWishes, call: str) -> Report:
        """What is to be said about the Dockerfile; nothing is built. Raises as `build` does."""
        async with self._context(body, wishes) as context:
            return await to_the_end(in_thread(lambda: look(_source(context, wishes), call)))

    def _context(self, body: AsyncIterator[bytes], wishes: BuildWishes) -> AbstractAsyncContextManager[Context]:
        contexts = self._rooms.contexts
        if not wishes.remote:
            return contexts.received(body, sent_contexts(wishes))
        keeps = (wishes.args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR") or "") in {"1", "true"}
        return contexts.remote(wishes.remote, wishes.lent, keep_git_dir=keeps)

    @staticmethod
    def _plan(context: Context, wishes: BuildWishes) -> _Read:
        source = _source(context, wishes)
        # Whoever made the archive has left out the rest; these two had to be sent.
        for own in (wishes.dockerfile, IGNORE_FILE):
            if source.ignore.ignores(own):
                context.leave_out(own)
        demands = Demands(
            args=source.args,
            contexts=wishes.contexts,
            labels=wishes.labels,
            target=wishes.target,
            platforms=source.platforms,
            allowed=wishes.allowed,
        )
        planner = Planner(source.program, demands)
        return _Read(source, planner, planner.needed())


class _Build:
    """One build: what it holds while it lasts."""

    def __init__(self, rooms: Rooms, context: Context, wishes: BuildWishes, tell: Tell) -> None:
        self._rooms = rooms
        self._context = context
        self._wishes = wishes
        self._tell = tell
        self._held: list[tuple[Digest, Digest]] = []

    async def build(self, read: _Read, names: tuple[Reference, ...]) -> str:
        """The image's id."""
        async with AsyncExitStack() as undo:
            arrival = await undo.enter_async_context(self._rooms.images.arriving())
            undo.callback(self._release)  # before the end of the arrival, which removes what nobody needs
            needed, images = await self._needed(read, arrival)
            graph = read.planner.graph(needed, {key: image.config for key, image in images.items()})
            await self._check(read, graph)
            for name in named_contexts(graph) - self._context.named.keys():
                if (place := self._wishes.contexts.get(name, "")).startswith(REMOTES):
                    fetched = self._rooms.contexts.remote(place, self._wishes.lent)
                    self._context.named[name] = await undo.enter_async_context(fetched)
            workshop = Workshop(self._rooms.trees, arrival, self._hold)
            materials = Materials(
                workshop=workshop,
                cache=self._rooms.cache,
                runner=self._rooms.runner,
                folders=self._rooms.folders,
                context=self._context,
                fetching=Fetching(self._rooms.contexts, self._wishes.lent, undo),
                images=images,
                taking=await self._taking(workshop, arrival),
            )
            solver = Solver(graph, materials, self._wishes, self._tell)
            try:
                state = await self._solved(solver, arrival)
                if self._wishes.squash:
                    state = await to_the_end(in_thread(squashed, materials.workshop, state))
            finally:
                await to_the_end(in_thread(self._flush, arrival))
            if unused := unused_args(read.source.program, dict.fromkeys(self._wishes.args, "")):
                await self._tell(Noticed(unused_args_warning(unused)))
            identifier = await self._publish(state, arrival, names)
            await self._give(solver, arrival)
            return identifier

    async def _check(self, read: _Read, graph: Graph) -> None:
        """Tell what the build checks find. Raises BuildFailed where the Dockerfile takes that for an error."""
        environments = {index: stage.settings.env for index, stage in graph.stages.items()}
        found = await in_thread(read.source.findings, environments)
        for one in found:
            await self._tell(Noticed(one.message, one.rule, one.location))
        if found and read.source.policy.error:
            rules = ", ".join(sorted({one.rule for one in found}))
            raise BuildFailed(f"lint violation found for rules: {rules}")

    async def _solved(self, solver: Solver, arrival: Arrival) -> State:
        """What the target ends with; people look into what a failure leaves, by the id that they were told last."""
        try:
            return await solver.solve()
        except HavreError:
            broken = solver.broken
            if self._wishes.keep_broken and broken is not None and broken.history:
                with suppress(HavreError):
                    await self._rooms.images.add(arrival, make_image(broken, ()))
            raise

    async def _taking(self, workshop: Workshop, arrival: Arrival) -> Taking:
        rooms, wishes = self._rooms, self._wishes
        taking = Taking(workshop, arrival, self._tell)
        sources = CacheSources(rooms.images, rooms.registries, wishes.credentials, self._context)
        await taking.open(sources, wishes.cache_from)
        return taking

    async def _give(self, solver: Solver, arrival: Arrival) -> None:
        """Write the caches that are wanted elsewhere; the image is there by now. Raises what registries raise."""
        for place in self._wishes.cache_to:
            records = solver.records(whole=place.whole)
            if place.kind is CacheKind.LOCAL:
                await self._tell(CacheOffered(place.name, tuple(record.key for record in records)))
            elif place.kind is CacheKind.REGISTRY:
                try:
                    await self._push(records, place, arrival)
                except HavreError as failed:
                    if not place.lenient:
                        raise
                    await self._tell(Noticed(f"the cache {place.name} was not written: {failed}"))

    async def _push(self, records: list[CacheRecord], place: CachePlace, arrival: Arrival) -> None:
        reference = Reference.parse(place.name)
        await self._tell(PullTold("", f"Writing the cache to {reference.familiar}"))
        pack = await packed(records, arrival)
        who = credentials_for(reference.domain, self._wishes.credentials)
        uploads = await self._rooms.registries.uploads(reference, who)
        await push(pack, self._rooms.images.store.content, uploads, reference)

    async def _needed(self, read: _Read, arrival: Arrival) -> tuple[Needed, dict[tuple[str, str], LoadedImage]]:
        """What the build stands on, its images found or pulled, and held; their triggers may name further ones."""
        needed, found = read.needed, dict[tuple[str, str], LoadedImage]()
        while missing := [image for image in needed.images if image not in found]:
            found |= await self._images(missing, arrival)
            needed = read.planner.needed({key: image.config for key, image in found.items()})
        return needed, found

    async def _images(self, missing: Iterable[tuple[str, str]], arrival: Arrival) -> dict[tuple[str, str], LoadedImage]:
        found: dict[tuple[str, str], LoadedImage] = {}
        for name, platform in missing:
            wanted = _platform(platform or self._wishes.platform)
            asked = wanted if platform or self._wishes.platform else None
            image = await self._rooms.source.find(
                name, asked, self._wishes.credentials, pull=self._wishes.pull, told=self._told_pull
            )
            loaded = await in_thread(load_image, image, arrival)
            for layer in loaded.tree.layers:
                self._hold(layer.chain, layer.blob.parsed_digest())
            found[name, platform] = loaded
        return found

    async def _told_pull(self, told: PullTold) -> None:
        await self._tell(told)

    async def _publish(self, state: State, arrival: Arrival, names: tuple[Reference, ...]) -> str:
        """Make the image visible, its names last; one that is there already only gets the names that it lacks."""
        images = self._rooms.images
        known = images.get(state.base_id) if not state.history and state.base_id else None
        candidate = make_image(state, names) if known is None else None
        identifier = known.id if known is not None else (candidate.id if candidate is not None else "")
        here = images.get(identifier)
        if here is None and candidate is not None:
            await images.add(arrival, candidate)
        await self._tell(Built(identifier))
        for name in names:
            if here is not None and name not in here.references:
                await images.tag(identifier, name)
            await self._tell(Tagged(name.familiar))
        return identifier

    def _flush(self, arrival: Arrival) -> None:
        """Content first, then the records that tell of it."""
        arrival.flush()
        self._rooms.trees.sealing.flush()
        self._rooms.cache.save()

    def _hold(self, chain: Digest, blob: Digest) -> None:
        self._rooms.cache.hold(chain, blob)
        self._held.append((chain, blob))

    def _release(self) -> None:
        self._rooms.cache.release(self._held)


def _source(context: Context, wishes: BuildWishes) -> Source:
    text = decode(context.dockerfile(wishes.dockerfile))
    ignored = context.ignore_file(wishes.dockerfile)
    args = {name: value for name, value in wishes.args.items() if value is not None}
    document = with_included(parse(text), context.find, args)
    return Source(
        text=text,
        name=wishes.dockerfile,
        document=document,
        program=read_document(document),
        platforms=Platforms(host_platform(), _platform(wishes.platform)),
        args=args,
        target=wishes.target,
        ignore=Ignore() if ignored is None else Ignore.read(decode(ignored)),
    )


def sent_contexts(wishes: BuildWishes) -> dict[str, str]:
    """The named contexts and the caches that come in the archive, and where they are in it."""
    named = {name: place.removeprefix(_SENT) for name, place in wishes.contexts.items() if place.startswith(_SENT)}
    caches = [place.name for place in wishes.cache_from if place.kind is CacheKind.LOCAL]
    return named | {sent_name(name): name for name in caches}


def _name(text: str) -> Reference:
    reference = Reference.parse(text)
    if reference.digest:
        raise InvalidInput("build tag cannot contain a digest")
    return reference.with_default_tag()


def _platform(text: str) -> Platform:
    """The platform that *text* means, this machine's own for none. Raises NotSupported for another system."""
    wanted = wished_platform(text) or host_platform()
    if wanted.os != "linux":
        raise NotSupported(f"cannot build for {text[:100]}: images of {wanted.os[:32]} are not made here")
    return wanted
