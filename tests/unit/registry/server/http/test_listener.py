"""Connections: those that say nothing give way to those that come."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from havre.registry.server.config.document import parse_document
from havre.registry.server.config.settings import settings_of
from havre.registry.server.http.listener import Listener
from havre.registry.server.serve import build


async def test_silent_connections_give_way(tmp_path: Path) -> None:
    document = parse_document(f"storage: {{filesystem: {{rootdirectory: {tmp_path}}}}}".encode())
    async with AsyncExitStack() as undo:
        parts = await build(settings_of(document), undo)
        runner = web.ServerRunner(Listener(parts.dispatcher, most=5))
        await runner.setup()
        undo.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]

        async def connect(said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            undo.callback(writer.close)
            writer.write(said)
            return reader, writer

        post = (
            b"POST /v2/a/blobs/uploads/?digest=sha256:"
            + b"0" * 64
            + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
        )
        reader, writer = await connect(post)  # the oldest, but its request is under way
        async with asyncio.timeout(30):
            while not parts.dispatcher.busy:
                await asyncio.sleep(0)
            slow = [await connect(b"GET /v2/ HTTP/1.1\r\nHost:") for _ in range(20)]
            ended = [await each.read() for each, _ in slow[:10]]
            assert ended == [b""] * 10
            fresh, _ = await connect(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await fresh.readline()).startswith(b"HTTP/1.1 200 ")
            writer.write(b"hello")
            assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")  # it was heard to its end
