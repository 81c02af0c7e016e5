"""Takes a connection out of the event loop, alive, with every byte in its place."""

import asyncio
import os
import socket

from havre.api.tls import TLSTransport


async def take_socket(transport: asyncio.Transport) -> socket.socket:
    """The socket of *transport*, which must be paused and flushed; the transport is of no use afterwards.

    The descriptor is a duplicate: closing the transport then closes only the loop's own, and shutdown(2) is never
    called, so both directions stay open. It shares O_NONBLOCK with nobody any more, but still has it set. Over TLS
    the socket is one end of a pair, and the other end goes on through TLS.
    """
    if isinstance(transport, TLSTransport):
        return await transport.bridge()
    own: socket.socket = transport.get_extra_info("socket")
    taken = socket.socket(fileno=os.dup(own.fileno()))
    transport.close()
    return taken
