"""What the engine offers on a container's files, played in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from havre.api.routes.commit import CommitWishes
from havre.base.errors import InvalidInput, NotFound
from havre.snapshots.path_stat import PathStat
from tests.fakes.engine import Asked


class FakeFiles:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.received = b""

    async def changes(self, ref: str) -> bytes:
        self.asked.calls.append(("changes", ref))
        return b'[{"Path":"/a","Kind":1}]'

    async def export(self, ref: str) -> AsyncIterator[bytes]:
        self.asked.calls.append(("export", ref))
        return _pieces()

    async def stat(self, ref: str, path: str) -> PathStat:
        self.asked.calls.append(("stat", ref, path))
        if path == "/nosuch":
            raise NotFound(f"Could not find the file {path} in container {ref}")
        return PathStat("a", 2, 0o644, 1_700_000_000_000_000_000, "")

    async def take(self, ref: str, path: str, *, glob: bool) -> tuple[PathStat, AsyncIterator[bytes]]:
        self.asked.calls += [("glob",)] if glob else []
        return await self.stat(ref, path), _pieces()

    async def put(self, ref: str, path: str, body: AsyncIterator[bytes], *, same_kind: bool, own: bool) -> None:
        self.asked.calls.append(("put", ref, path, same_kind, own))
        if path == "/read-only":
            raise InvalidInput("container rootfs is marked read-only")
        async for piece in body:
            self.received += piece


class FakeCommits:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    async def commit(self, wishes: CommitWishes) -> str:
        self.asked.calls.append(("commit", wishes))
        return "sha256:1"


async def _pieces() -> AsyncIterator[bytes]:
    for piece in (b"one", b"two"):
        yield piece
