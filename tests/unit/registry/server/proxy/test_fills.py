"""A fill that is stopped gives its file back once its thread has let go of it, with every byte there once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from havre.content.ingest import BlobWriter
from havre.content.store import Content
from havre.oci.digest import Digest
from havre.registry.server.config.document import Proxy
from havre.registry.server.proxy.fills import Fill
from havre.registry.server.proxy.upstream import Upstream

DATA = os.urandom(3 << 20)
DIGEST = Digest.of(DATA)


async def blob_size(*_: object) -> int:
    return len(DATA)


async def blob(_: Upstream, _name: str, _digest: Digest, size: int, start: int) -> AsyncGenerator[bytes, None]:
    yield DATA[start:size]


async def keep(_: int) -> None:
    """Nothing is written down."""


@pytest.fixture
async def upstream(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Upstream]:
    monkeypatch.setattr(Upstream, "blob_size", blob_size)
    monkeypatch.setattr(Upstream, "blob", blob)
    made = Upstream(Proxy(remoteurl="http://127.0.0.1:1"))
    yield made
    await made.close()


async def test_a_fill_that_is_stopped_while_it_writes(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, opened, write = threading.Event(), threading.Event(), BlobWriter.write

    def slow(writer: BlobWriter, data: bytes) -> int:
        reached.set()
        assert opened.wait(60)
        return write(writer, data)

    content = Content(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(BlobWriter, "write", slow)
        filling = asyncio.create_task(Fill(upstream, content, "one", DIGEST).run(keep))
        assert await asyncio.to_thread(reached.wait, 60)
        filling.cancel()
        await asyncio.wait({filling}, timeout=0.1)  # whoever does not wait for the thread would be gone by now
        opened.set()
        with pytest.raises(asyncio.CancelledError):
            await filling
    assert [draft.size for draft in content.drafts.list()] == [len(DATA)]
    await Fill(upstream, content, "one", DIGEST).run(keep)
    assert content.read_bytes(DIGEST, len(DATA)) == DATA
