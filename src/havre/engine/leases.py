"""Leases: what bears a lease's label goes once no client holds the lease any more.

A client holds a lease as long as its connection is open. When the last one ends, or when an engine begins, or when
something is made under a lease that nobody holds, there is a time of grace in which somebody may come.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from havre.base.errors import HavreError, InvalidInput
from havre.engine.container_volumes import tell
from havre.engine.model import Record
from havre.engine.names import parse_name
from havre.engine.parts import Parts
from havre.engine.remove import remove
from havre.wire.leases import LeaseHeld

LABEL: Final = "havre.lease"
GRACE_S: Final = 10.0
START_GRACE_S: Final = 30.0
LONGEST_S: Final = 3600.0
_log = logging.getLogger(__name__)


class Leases:
    """Who holds what, in memory: the labels on the things are all that is written down."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._holders: Counter[str] = Counter()
        self._grace_s: dict[str, float] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def begin(self) -> None:
        """Give the holders of before the time to come back, and watch what is made from now on."""
        for name in self._names():
            self._expect(name, START_GRACE_S)
        _ = self._parts.tasks.start(self._watch(), name="leases")

    def hold(self, name: str, grace_s: float | None) -> AsyncIterator[LeaseHeld]:
        """Hold the lease *name* until the iteration ends; one value tells that it is held. Raises InvalidInput."""
        parse_name(name)
        if grace_s is not None and not 0 <= grace_s <= LONGEST_S:
            raise InvalidInput(f"invalid grace: 0 to {LONGEST_S:.0f} seconds are allowed")
        self._holders[name] += 1
        self._grace_s[name] = GRACE_S if grace_s is None else grace_s
        if (timer := self._waiting.pop(name, None)) is not None:
            timer.cancel()
        return self._held(name)

    def held(self, name: str) -> bool:
        """Whether somebody holds it."""
        return self._holders[name] > 0

    async def _held(self, name: str) -> AsyncIterator[LeaseHeld]:
        try:
            yield {"Lease": name, "Grace": self._grace_s[name]}
            await asyncio.get_running_loop().create_future()
        finally:
            self._holders[name] -= 1
            if not self._holders[name]:
                del self._holders[name]
                self._expect(name, self._grace_s.pop(name, GRACE_S))

    def _expect(self, name: str, grace_s: float) -> None:
        """Let somebody come within *grace_s*."""
        if name not in self._waiting and not self.held(name):
            loop = asyncio.get_running_loop()
            self._waiting[name] = loop.call_later(grace_s, self._run_out, name)

    def _run_out(self, name: str) -> None:
        self._waiting.pop(name, None)
        if not self.held(name) and not self._parts.ending.is_set():
            _ = self._parts.tasks.start(self._reap(name), name=f"lease {name}")

    async def _watch(self) -> None:
        """Whatever is made under a lease that nobody holds."""
        while True:
            wanted = {"type": frozenset({"container", "volume"}), "event": frozenset({"create"})}
            async for _ in self._parts.events.subscribe(wanted):
                for name in self._names():
                    self._expect(name, GRACE_S)

    async def _reap(self, name: str) -> None:
        parts = self._parts
        for container in parts.roster:
            if lease_of(container.record) == name:
                _log.info("lease %s has run out: container %s goes", name, container.id)
                with contextlib.suppress(HavreError):  # somebody else was faster
                    await remove(parts, container, force=True, volumes=True)
        for volume in parts.volumes.list():
            if volume.labels.get(LABEL) == name:
                with contextlib.suppress(HavreError):  # a container of no lease uses it
                    await parts.volumes.remove(volume.name)
                    tell(parts, "destroy", volume.name)

    def _names(self) -> set[str]:
        containers = {lease_of(container.record) for container in self._parts.roster}
        return (containers | {volume.labels.get(LABEL, "") for volume in self._parts.volumes.list()}) - {""}


def lease_of(record: Record) -> str:
    """The lease that a container is under; empty for none."""
    return record.config.labels.get(LABEL, "")
