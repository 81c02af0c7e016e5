"""Bodies: those that stand still end their request."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from havre.registry.server.auth.callers import Caller
from havre.registry.server.http import exchange as module
from havre.registry.server.http.exchange import Exchange
from havre.registry.server.paths import Plain


async def test_a_body_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALL_S", 0.05)
    seen: list[bytes] = []
    failures: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        try:
            async for piece in Exchange(request, Plain("/"), Caller(), "", {}).body():
                seen.append(piece)  # noqa: PERF401  what came before the failure counts too
        except ConnectionError as error:
            failures.append(str(error))
        return web.Response(headers={"Connection": "close"})

    runner = web.ServerRunner(web.Server(handler, lingering_time=0))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
    finally:
        await runner.cleanup()
    assert b"".join(seen) == b"half"
    assert failures == ["no byte of the request's body came for 0.05 s"]
