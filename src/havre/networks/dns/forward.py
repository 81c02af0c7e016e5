"""Asks other servers: one after the other, each with a bounded patience, and believes only what fits the question."""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, TypeAlias

from havre.networks.dns.message import Code, code_of, is_answer_to

PATIENCE_S: Final = 2.0
"""How long one server may take: a second one is asked before the client's own five seconds are over."""

SERVERS_ASKED: Final = 3
_DATAGRAM: Final = 65535
_GO_ON: Final = {Code.SERVER_FAILURE, Code.REFUSED, Code.NOT_IMPLEMENTED}

OpenSocket: TypeAlias = Callable[[int, int], socket.socket]
"""Makes a socket of a family and a type in the namespace from which a server is reached."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server that may be asked; *open_socket* says from where."""

    address: str
    port: int = 53
    open_socket: OpenSocket = socket.socket

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return socket.AF_INET if ip_address(self.address.partition("%")[0]).version == 4 else socket.AF_INET6


async def ask(query: bytes, upstreams: Sequence[Upstream], *, stream: bool) -> bytes | None:
    """What the first of *upstreams* with a real answer says to *query*, under the query's own id.

    A server that fails is passed over; if all do, the last one's failure is the answer, or None where none spoke.
    *stream*: over TCP.
    """
    last = None
    for upstream in upstreams[:SERVERS_ASKED]:
        asked = os.urandom(2) + query[2:]  # an id that nobody can foresee, from a port that nobody can foresee
        try:
            async with asyncio.timeout(PATIENCE_S):
                reply = await (_ask_stream if stream else _ask_datagram)(asked, upstream)
        except (OSError, EOFError, TimeoutError):
            continue
        last = query[:2] + reply[2:]
        if code_of(reply) not in _GO_ON:
            break
    return last


async def _ask_datagram(query: bytes, upstream: Upstream) -> bytes:
    loop = asyncio.get_running_loop()
    with upstream.open_socket(upstream.family, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        await loop.sock_connect(asking, (upstream.address, upstream.port))
        asking.send(query)
        while True:
            reply = await loop.sock_recv(asking, _DATAGRAM)
            if is_answer_to(query, reply):
                return reply


async def _ask_stream(query: bytes, upstream: Upstream) -> bytes:
    loop = asyncio.get_running_loop()
    with upstream.open_socket(upstream.family, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        await loop.sock_connect(asking, (upstream.address, upstream.port))
        await send_framed(asking, query)
        reply = await receive_framed(asking)
        if not is_answer_to(query, reply):
            raise EOFError
        return reply


async def send_framed(where: socket.socket, message: bytes) -> None:
    """Send *message* behind its length: RFC 1035, section 4.2.2."""
    await asyncio.get_running_loop().sock_sendall(where, len(message).to_bytes(2, "big") + message)


async def receive_framed(where: socket.socket) -> bytes:
    """The next message of a stream. Raises EOFError at its end, also in the middle of a message."""
    length = int.from_bytes(await _receive(where, 2), "big")
    return await _receive(where, length)


async def _receive(where: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    got = bytearray()
    while len(got) < size:
        piece = await loop.sock_recv(where, size - len(got))
        if not piece:
            raise EOFError
        got += piece
    return bytes(got)
