"""Builds as the Engine API asks for them: its words become wishes, what happens becomes lines, names become events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from havre.base.errors import HavreError
from havre.build.builder import Builder
from havre.build.looking import Report
from havre.build.model import BuildEvent, BuildWishes, Tagged
from havre.engine.build_lines import ClassicLines, Lines
from havre.engine.build_sessions import BuildSessions
from havre.engine.parts import Parts
from havre.wire.progress import ProgressLine

_WAITING: Final = 256


class Builds:
    """Builds images for clients."""

    def __init__(self, parts: Parts, builder: Builder, sessions: BuildSessions) -> None:
        self._parts = parts
        self._builder = builder
        self._sessions = sessions

    async def build(
        self, body: AsyncIterator[bytes], wishes: BuildWishes, lines: Lines | None = None, session: str = ""
    ) -> AsyncIterator[ProgressLine]:
        """Build, and tell it in *lines*, by default those of Docker's classic builder; *session* ends with the build.

        What the builder raises is raised while it is iterated; whoever stops iterating cancels the build.
        """
        if not session:
            async with aclosing(self._told(body, wishes, lines or ClassicLines())) as told:
                async for line in told:
                    yield line
            return
        lent = self._sessions.take(session)
        try:
            wishes = replace(wishes, secrets=lent.secrets, ssh_agents=lent.agents)
            async with aclosing(self._told(body, wishes, lines or ClassicLines())) as told:
                async for line in told:
                    yield line
        finally:
            self._sessions.end(session)

    async def look(self, body: AsyncIterator[bytes], wishes: BuildWishes, call: str) -> Report:
        """What is to be said about the Dockerfile, instead of a build. Raises InvalidInput."""
        return await self._builder.look(body, wishes, call)

    async def _told(
        self, body: AsyncIterator[bytes], wishes: BuildWishes, lines: Lines
    ) -> AsyncGenerator[ProgressLine, None]:
        events: asyncio.Queue[BuildEvent | None] = asyncio.Queue(_WAITING)
        task = asyncio.get_running_loop().create_task(self._run(body, wishes, events), name="build")
        try:
            while (event := await events.get()) is not None:
                if isinstance(event, Tagged):
                    self._tell_tagged(event)
                for line in lines.of(event):
                    yield line
            await task
            for line in lines.end():
                yield line
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _run(
        self, body: AsyncIterator[bytes], wishes: BuildWishes, events: "asyncio.Queue[BuildEvent | None]"
    ) -> None:
        """Build, and put None behind the last event; a build that is cancelled is read by nobody any more."""
        try:
            await self._builder.build(body, wishes, events.put)
        except asyncio.CancelledError:
            raise
        except BaseException:
            await events.put(None)
            raise
        await events.put(None)

    def _tell_tagged(self, event: Tagged) -> None:
        try:
            image = self._parts.images.find(event.name)
        except HavreError:
            return  # somebody took the name away already
        labels = image.config.process.labels or {}
        self._parts.events.publish("image", "tag", image.id, {**labels, "name": event.name})
