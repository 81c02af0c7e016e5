"""What containers use, sampled once a second by one task for all who watch, however many those are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from havre.base import clock
from havre.base.errors import HavreError
from havre.base.tasks import in_thread
from havre.engine.model import HOST
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.spec import cgroup_path
from havre.engine.stats_shape import Machine, Sample, parse_busy_ns, parse_interfaces, shown
from havre.kernel.cgroups import Cgroups
from havre.kernel.libc import KernelError
from havre.wire.stats import ContainerStats

_INTERVAL_S: Final = 1.0


class Stats:
    """The statistics of containers. *ref* is a name, an id or the beginning of one."""

    def __init__(self, parts: Parts, cgroups: Cgroups) -> None:
        self._parts = parts
        self._cgroups = cgroups
        self._watchers: dict[Container, set[asyncio.Queue[Sample | None]]] = {}
        self._sampler: asyncio.Task[None] | None = None

    async def once(self, ref: str, *, one_shot: bool) -> ContainerStats:
        """One line: of two samples a second apart, or with *one_shot* of one alone. Raises NoSuchContainer."""
        container = self._parts.roster.get(ref)
        if not container.record.alive:
            return _line(container, None)
        if one_shot:
            samples = await in_thread(self._look, [container])
            return _line(container, samples[container])
        before: Sample | None = None
        async for sample in self._samples(container):
            if before is not None or sample is None:
                return _line(container, sample, before)
            before = sample
        return _line(container, None)

    def watch(self, ref: str) -> AsyncIterator[ContainerStats]:
        """A line a second until the container is removed. Raises NoSuchContainer at the call."""
        return self._lines(self._parts.roster.get(ref))

    async def _lines(self, container: Container) -> AsyncIterator[ContainerStats]:
        before: Sample | None = None
        async for sample in self._samples(container):
            yield _line(container, sample, before)
            before = sample

    async def _samples(self, container: Container) -> AsyncIterator[Sample | None]:
        """Each look at *container*, None while it does not run; who reads slowly misses some."""
        queue: asyncio.Queue[Sample | None] = asyncio.Queue(maxsize=1)
        self._watchers.setdefault(container, set()).add(queue)
        if self._sampler is None or self._sampler.done():
            self._sampler = self._parts.tasks.start(self._sample(), name="sampler of statistics")
        removal = container.endings.removal()
        removal.add_done_callback(lambda _: None if queue.full() else queue.put_nowait(None))
        try:
            while True:
                sample = await queue.get()
                if removal.done():
                    return
                yield sample
        finally:
            removal.cancel()
            watchers = self._watchers[container]
            watchers.discard(queue)
            if not watchers:
                del self._watchers[container]

    async def _sample(self) -> None:
        """Look at everything that is watched, until nothing is."""
        while self._watchers:
            watched = list(self._watchers)
            living = [container for container in watched if container.record.alive]
            looked = await in_thread(self._look, living)
            for container in watched:
                for queue in self._watchers.get(container, ()):
                    if not queue.full():
                        queue.put_nowait(looked.get(container))
            await asyncio.sleep(_INTERVAL_S)

    def _look(self, containers: list[Container]) -> dict[Container, Sample | None]:
        machine = Machine(
            parse_busy_ns(Path("/proc/stat").read_text(encoding="ascii")),
            self._parts.facts.cpu_count,
            self._parts.facts.memory_bytes,
            self._cgroups.version,
        )
        return {container: self._look_at(container, machine) for container in containers}

    def _look_at(self, container: Container, machine: Machine) -> Sample | None:
        """None for one that ended meanwhile."""
        record = container.record
        try:
            used = self._cgroups.stats(cgroup_path(record, self._parts.settings.cgroup_parent))
            networks = None
            if record.host.network_mode != HOST:
                interfaces = Path(f"/proc/{record.pid}/net/dev").read_text(encoding="ascii", errors="replace")
                networks = parse_interfaces(interfaces) or None
        except (HavreError, KernelError, OSError):
            return None
        return Sample(clock.now_ns(), used, machine, networks)


def _line(container: Container, sample: Sample | None, before: Sample | None = None) -> ContainerStats:
    return shown(container.name, container.id, sample, before)
