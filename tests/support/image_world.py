"""A store of images with all that it stands on, in a folder of the test's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from havre.content.store import Content
from havre.images.images import Images
from havre.images.model import LoadEvent
from havre.images.names import Names
from havre.images.store import ImageStore
from havre.snapshots.overlay import Overlay
from tests.support.archives import body


@dataclass
class World:
    root: Path
    content: Content
    snapshots: Overlay
    images: Images

    @property
    def store(self) -> ImageStore:
        return self.images.store

    async def load(self, data: bytes) -> list[LoadEvent]:
        return [event async for event in self.images.load(body(data))]

    async def save(self, *names: str) -> bytes:
        return b"".join([piece async for piece in self.images.save(names)])

    def blobs(self) -> int:
        return len(self.content.digests())

    def chains(self) -> int:
        return len(self.snapshots.chains())


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[World]:
    os.makedirs(root, exist_ok=True)
    content, snapshots = Content(root / "content"), Overlay(root / "overlay2")
    snapshots.sweep()
    images = Images(content, snapshots, Names(root / "images.db"))
    await images.open()
    try:
        yield World(root, content, snapshots, images)
    finally:
        await images.close()
        await asyncio.to_thread(snapshots.close)
