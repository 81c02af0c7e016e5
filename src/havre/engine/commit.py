"""A container's changes as an image, by Docker's rules: what is inherited, what is told, who is paused meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError, NotFound
from havre.base.tasks import in_own_thread, to_the_end
from havre.engine.image_defaults import joined
from havre.engine.lifecycle import State
from havre.engine.model import Record
from havre.engine.parts import Parts
from havre.engine.placeholders import placeholders_on
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.settings import Config, parse_config
from havre.engine.steps import passed
from havre.images.candidate import Arrival, Candidate
from havre.images.commit import EMPTY_ARCHIVE, CommitWishes, make_commit, parse_target, plan_commit
from havre.images.images import Images
from havre.images.model import Image, Layer
from havre.oci.digest import chain_id
from havre.oci.image_config import ProcessConfig
from havre.runtime.errors import NoSuchProcess, ShimGone
from havre.snapshots.contract import View
from havre.snapshots.writer import WriteWishes, write_tar
from havre.wire.containers import CreateContainer

_MARK: Final = "frozen-for-commit"
_Made = tuple[Candidate, Layer | None]


class CommitAsked(Protocol):
    """What a client wants; texts may be empty."""

    @property
    def container(self) -> str:
        """A name, an id or the beginning of one."""

    @property
    def repository(self) -> str:
        """The name to give."""

    @property
    def tag(self) -> str:
        """Its tag."""

    @property
    def message(self) -> str:
        """What was done."""

    @property
    def author(self) -> str:
        """Who did it."""

    @property
    def pause(self) -> bool:
        """Whether processes are frozen meanwhile."""

    @property
    def changes(self) -> Sequence[str]:
        """Dockerfile instructions."""

    @property
    def config(self) -> CreateContainer:
        """Settings that go before the container's."""


class Commits:
    """Images from containers."""

    def __init__(self, parts: Parts, images: Images) -> None:
        self._parts = parts
        self._images = images

    async def commit(self, asked: CommitAsked) -> str:
        """Make an image of what a container changed; its id. Raises NoSuchContainer, InvalidInput, Conflict."""
        container = self._parts.roster.get(asked.container)
        wishes = self._wishes(container.record, asked)
        process = plan_commit(wishes)
        async with self._images.arriving() as arrival:
            async with container.lock:
                work = partial(self._make, container.id, arrival, wishes, process)
                candidate, top = await self._read(container, work, pause=asked.pause)
            passed("commit.written")
            image = await self._images.add(arrival, candidate, top)
            passed("commit.added")
        name = wishes.reference.familiar if wishes.reference is not None else ""
        if name:
            self._parts.events.publish("image", "tag", image.id, {**(image.config.process.labels or {}), "name": name})
        self._parts.tell(container, "commit", comment=asked.message, imageID=image.id, imageRef=name)
        return image.id

    def _wishes(self, record: Record, asked: CommitAsked) -> CommitWishes:
        config = _joined(parse_config(asked.config), asked.config, record.config)
        return CommitWishes(
            parent=self._parent(record),
            process=_process(config),
            changes=tuple(asked.changes),
            created_by=" ".join(record.config.cmd or ()),
            container=record.id,
            author=asked.author,
            message=asked.message,
            reference=parse_target(asked.repository, asked.tag),
        )

    def _parent(self, record: Record) -> Image:
        image = self._images.get(record.image_id)
        if image is None:
            raise NotFound(f"No such image: {record.image_id}")
        return image

    async def _read(self, container: Container, work: Callable[[], _Made], *, pause: bool) -> _Made:
        if container.gone:
            raise NoSuchContainer(f"No such container: {container.id}")
        if container.record.state in {State.DEAD, State.REMOVING}:
            raise Conflict(f"You cannot commit container {container.id} which is Dead")
        async with AsyncExitStack() as undo:
            if pause and container.record.state is State.RUNNING:
                await self._freeze(container, undo)
            return await to_the_end(in_own_thread(work))

    async def _freeze(self, container: Container, undo: AsyncExitStack) -> None:
        """Hold the container's processes still. A mark on the disk tells a next havred that they are to go on."""
        shim, mark = container.shim, _mark(self._parts, container)
        if shim is None:
            return
        mark.touch()
        undo.callback(mark.unlink, missing_ok=True)
        with suppress(NoSuchProcess, ShimGone):  # it ended by itself: nothing moves any more
            await shim.pause()
            undo.push_async_callback(thaw, self._parts, container)
            passed("commit.frozen")
            self._parts.tell(container, "pause")

    def _make(self, container: str, arrival: Arrival, wishes: CommitWishes, process: ProcessConfig) -> _Made:
        """The image to be, and its topmost layer, unless that holds nothing."""
        sizes: list[int] = []
        mounted = partial(self._parts.snapshots.mounted, container)
        with mounted(View.OWN) as own, mounted(View.BELOW) as below:
            form = WriteWishes(overlay=True, without=placeholders_on(below), weigh=sizes.append)
            with closing(write_tar(own, form)) as pieces:
                stored = arrival.ingest_soon(pieces)
        candidate = make_commit(stored, arrival, wishes, process)
        chain = chain_id(candidate.config.diff_ids())
        if chain is None or stored.digest == EMPTY_ARCHIVE:
            return candidate, None
        return candidate, Layer(chain=chain, diff=stored.digest, size_bytes=sum(sizes), tar_bytes=stored.size)


async def thaw(parts: Parts, container: Container) -> None:
    """Let a container go on that was frozen for a commit, if it is still there."""
    if container.shim is None:
        return
    with suppress(HavreError):
        await container.shim.resume()
        parts.tell(container, "unpause")


async def end_freezes(parts: Parts) -> None:
    """At the start: let go on what a commit of a dead havred left frozen."""
    for container in parts.roster:
        mark = _mark(parts, container)
        if not mark.exists():
            continue
        if container.shim is not None and container.shim.frozen:
            await container.shim.resume()
            if container.record.state is State.PAUSED:
                parts.change(container, replace(container.record, state=State.RUNNING))
        mark.unlink(missing_ok=True)


def _mark(parts: Parts, container: Container) -> Path:
    return parts.folders.container(container.id) / _MARK


def _joined(given: Config, words: Mapping[str, object], own: Config) -> Config:
    """What a client sent as the image's settings, and the container's own where it says nothing."""
    if not words:
        return own
    return joined(given, _process(own))


def _process(config: Config) -> ProcessConfig:
    return ProcessConfig(
        user=config.user,
        exposed_ports=config.exposed_ports or None,
        env=config.env,
        entrypoint=config.entrypoint,
        cmd=config.cmd,
        volumes=config.volumes or None,
        working_dir=config.working_dir,
        labels=config.labels or None,
        stop_signal=config.stop_signal,
        healthcheck=config.healthcheck,
        shell=config.shell or None,
        on_build=config.on_build,
    )
