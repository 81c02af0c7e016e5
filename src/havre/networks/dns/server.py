"""Serves the name servers of all sandboxes in one thread with a loop of its own: the API never waits for it."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from havre.networks.dns.answers import decide
from havre.networks.dns.forward import Upstream, ask, receive_framed, send_framed
from havre.networks.dns.message import (
    Code,
    Malformed,
    Question,
    answer,
    answers_of,
    fit,
    read_question,
    refusal,
)
from havre.networks.dns.names import View
from havre.networks.dns.outbox import Address, Outbox

_PIECE: Final = 4096
_AT_ONCE: Final = 64
_KNOWN: Final = 512
_ASKED_AT_ONCE: Final = 256
_STREAMS: Final = 32
_STREAM_IDLE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What one sandbox is answered from: its *view* of names, and whom to ask for others, the first one first."""

    view: View
    upstreams: tuple[Upstream, ...] = ()


class NameServers:
    """The servers by the id of their sandbox. Safe to call from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._serving: dict[str, _Server] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="dns", daemon=True)
        self._thread.start()

    def serve(self, sandbox_id: str, datagrams: socket.socket, streams: socket.socket, desk: Desk) -> None:
        """Answer at a bound UDP and a listening TCP socket, both ours from now on, in place of earlier ones."""
        self._do(self._open(sandbox_id, datagrams, streams, desk))

    def change(self, sandbox_id: str, desk: Desk) -> None:
        """Answer from another *desk*; a sandbox that is not served is no error."""
        self._do(self._change(sandbox_id, desk))

    def stop(self, sandbox_id: str) -> None:
        """Serve a sandbox no more; its sockets are closed when this returns. An unknown one is no error."""
        self._do(self._shut(sandbox_id))

    def close(self) -> None:
        """Stop all, end the thread. Closing twice is no error."""
        if self._loop.is_closed():
            return
        self._do(self._shut_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, sandbox_id: str, datagrams: socket.socket, streams: socket.socket, desk: Desk) -> None:
        await self._shut(sandbox_id)
        self._serving[sandbox_id] = _Server(self._loop, datagrams, streams, desk)

    async def _change(self, sandbox_id: str, desk: Desk) -> None:
        if sandbox_id in self._serving:
            self._serving[sandbox_id].desk = desk

    async def _shut(self, sandbox_id: str) -> None:
        server = self._serving.pop(sandbox_id, None)
        if server is not None:
            await server.close()

    async def _shut_all(self) -> None:
        for sandbox_id in list(self._serving):
            await self._shut(sandbox_id)


class _Known:
    """What was answered from a view as it is: the same question, but for its id, has the same answer.

    Answers of several addresses are not kept: their order changes from question to question.
    """

    def __init__(self) -> None:
        self._view: View | None = None
        self._version = 0
        self._said: dict[bytes, bytes] = {}

    def find(self, query: bytes, view: View) -> bytes | None:
        """The answer to *query*, if it is known, under its own id."""
        version = view.version
        if view is not self._view or version != self._version or len(self._said) > _KNOWN:
            self._view, self._version = view, version
            self._said.clear()
            return None
        said = self._said.get(query[2:])
        return None if said is None else query[:2] + said

    def keep(self, query: bytes, reply: bytes) -> None:
        """Keep what was answered since the last `find`."""
        if answers_of(reply) < 2:
            self._said[query[2:]] = reply[2:]


class _Server:
    """The server of one sandbox."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, datagrams: socket.socket, streams: socket.socket, desk: Desk
    ) -> None:
        self.desk = desk
        self._loop = loop
        self._datagrams = datagrams
        self._streams = streams
        self._outbox = Outbox(datagrams)
        self._known = _Known()
        self._asking: set[asyncio.Task[None]] = set()
        self._talking: set[asyncio.Task[None]] = set()
        for each, on_news in ((datagrams, self._on_datagrams), (streams, self._on_stream)):
            each.setblocking(False)
            loop.add_reader(each, on_news)

    async def close(self) -> None:
        for each in (self._datagrams, self._streams):
            self._loop.remove_reader(each)
        tasks = [*self._asking, *self._talking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._datagrams.close()
        self._streams.close()

    def _on_datagrams(self) -> None:
        """Answer what has arrived; the rest of a flood waits for the next turn, behind other sandboxes."""
        with suppress(OSError):
            for _ in range(_AT_ONCE):
                query, client = self._datagrams.recvfrom(_PIECE)
                self._on_datagram(query, client)
        self._outbox.send()

    def _on_datagram(self, query: bytes, client: Address) -> None:
        view = self.desk.view
        if (said := self._known.find(query, view)) is not None:
            self._outbox.put(said, client)
            return
        try:
            question = read_question(query)
        except Malformed as wrong:
            if wrong.code is not None:
                self._outbox.put(refusal(query, wrong.code), client)
            return
        reply = decide(question, view, limit=question.limit)
        if reply is not None:
            self._known.keep(query, reply)
            self._outbox.put(reply, client)
        elif len(self._asking) >= _ASKED_AT_ONCE:
            self._outbox.put(answer(question, code=Code.REFUSED), client)
        else:
            self._own(self._asking, self._pass_on(question, query, client))

    async def _pass_on(self, question: Question, query: bytes, client: Address) -> None:
        reply = fit(await self._asked(question, query, stream=False), query, question.limit)
        with suppress(OSError):  # a client that is gone or does not read: datagrams get lost
            self._datagrams.sendto(reply, client)

    async def _asked(self, question: Question, query: bytes, *, stream: bool) -> bytes:
        reply = await ask(query, self.desk.upstreams, stream=stream)
        return answer(question, code=Code.SERVER_FAILURE) if reply is None else reply

    def _on_stream(self) -> None:
        with suppress(OSError):
            client, _ = self._streams.accept()
            if len(self._talking) >= _STREAMS:
                client.close()
                return
            client.setblocking(False)
            self._own(self._talking, self._talk(client))

    async def _talk(self, client: socket.socket) -> None:
        """Answer one question after the other until the client ends, is silent, or sends what is none."""
        with client, suppress(OSError, EOFError, TimeoutError):
            while True:
                async with asyncio.timeout(_STREAM_IDLE_S):
                    query = await receive_framed(client)
                reply = await self._answered(query)
                if reply is None:
                    return
                async with asyncio.timeout(_STREAM_IDLE_S):
                    await send_framed(client, reply)

    async def _answered(self, query: bytes) -> bytes | None:
        try:
            question = read_question(query)
        except Malformed as wrong:
            return refusal(query, wrong.code) if wrong.code is not None else None
        reply = decide(question, self.desk.view)
        return await self._asked(question, query, stream=True) if reply is None else reply

    def _own(self, tasks: set[asyncio.Task[None]], work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
