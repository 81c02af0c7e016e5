"""TLS with half-closed connections.

asyncio's own TLS ends a connection at the peer's close_notify; Docker clients send that as soon as they have no
more input, and go on reading. So TLS runs in memory here (`ssl.MemoryBIO`), and close_notify is an end of file.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

_READ_BYTES: Final = 256 << 10
_HANDSHAKE_LIMIT_S: Final = 30.0


def server_context(*, certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """The server's half of TLS; with *authority*, clients must show a certificate that it signed.

    Raises OSError or ssl.SSLError when a file is missing or wrong.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    if authority is not None:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TLSProtocol(asyncio.Protocol):
    """Decrypts what a transport brings for the protocol that *make_inner* makes once the handshake is done.

    It is in *living* from the first moment to the last, also when its connection was given away.
    """

    def __init__(
        self, context: ssl.SSLContext, make_inner: Callable[[], asyncio.Protocol], living: "set[TLSProtocol]"
    ) -> None:
        self._make_inner = make_inner
        self._living = living
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._loop = asyncio.get_running_loop()
        self._inner: asyncio.Protocol | None = None
        self._paused = False
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there, not yet known."""
        self.raw = cast("asyncio.Transport", transport)
        self._living.add(self)
        self._deadline = self._loop.call_later(_HANDSHAKE_LIMIT_S, self.raw.abort)

    def data_received(self, data: bytes) -> None:
        """Encrypted bytes."""
        self._incoming.write(data)
        try:
            if self._inner is None and not self._shake_hands():
                return
            self._deliver()
        except ssl.SSLError:
            # The alert that tells the client why is in the outgoing bytes.
            self.flush()
            self.raw.close()

    def eof_received(self) -> bool:
        """The client closed its half of the connection below TLS."""
        self._incoming.write_eof()
        return self._inner is not None and self._tell_end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._deadline.cancel()
        self._living.discard(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._inner is not None:
            self._inner.resume_writing()

    def write(self, data: bytes) -> None:
        """Send *data*."""
        with contextlib.suppress(ssl.SSLError):  # after our own close_notify nothing can be sent
            self._tls.write(data)
        self.flush()

    def write_eof(self) -> None:
        """Send close_notify: the end of what we say, not of what we hear."""
        with contextlib.suppress(ssl.SSLError):  # SSLWantRead: the client's own end has not come yet
            self._tls.unwrap()
        self.flush()

    def pause(self) -> None:
        """Deliver nothing for now."""
        self._paused = True
        self.raw.pause_reading()

    def resume(self) -> None:
        """Deliver again, first what is decrypted already."""
        self._paused = False
        if not self.raw.is_closing():
            self.raw.resume_reading()
            self._loop.call_soon(self._deliver_again)

    def replace_inner(self, inner: asyncio.Protocol) -> asyncio.Protocol | None:
        """Deliver to *inner* from now on, the end too when it has come already."""
        before, self._inner = self._inner, inner
        if self._ended:
            self._loop.call_soon(inner.eof_received)
        return before

    def flush(self) -> None:
        """Hand the encrypted bytes to the connection."""
        if self._outgoing.pending and not self.raw.is_closing():
            self.raw.write(self._outgoing.read())

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flush()
            return False
        self.flush()
        self._deadline.cancel()
        self._inner = self._make_inner()
        self._inner.connection_made(TLSTransport(self))
        return True

    def _deliver(self) -> None:
        while not self._paused and not self._ended and self._inner is not None and not self.raw.is_closing():
            try:
                data = self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            if data:
                self._inner.data_received(data)
            else:
                self._tell_end()
        self.flush()

    def _deliver_again(self) -> None:
        try:
            self._deliver()
        except ssl.SSLError:
            self.raw.close()

    def _tell_end(self) -> bool:
        if self._ended or self._inner is None:
            return True
        self._ended = True
        stay = bool(self._inner.eof_received())
        if not stay:
            self.write_eof()
            self.raw.close()
        return stay


class TLSTransport(asyncio.Transport):
    """What a protocol behind TLS sees of its connection."""

    def __init__(self, tls: TLSProtocol) -> None:
        super().__init__()
        self._tls = tls

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What the connection below knows."""
        return self._tls.raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*."""
        self._tls.write(bytes(data))

    def write_eof(self) -> None:
        """End what we say."""
        self._tls.write_eof()

    def can_write_eof(self) -> bool:
        """Half-closing is what this is for."""
        return True

    def pause_reading(self) -> None:
        """Deliver nothing for now."""
        self._tls.pause()

    def resume_reading(self) -> None:
        """Deliver again."""
        self._tls.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As asyncio's own."""
        self._tls.raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """The bytes not yet given to the kernel."""
        return self._tls.raw.get_write_buffer_size()

    def is_closing(self) -> bool:
        """Whether the end has begun."""
        return self._tls.raw.is_closing()

    def close(self) -> None:
        """End in order."""
        self._tls.write_eof()
        self._tls.raw.close()

    def abort(self) -> None:
        """End at once."""
        self._tls.raw.abort()

    async def bridge(self) -> socket.socket:
        """A plain socket whose other end goes on through TLS; the protocol before is told that its connection ended."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        bridge = _Bridge(self)
        await loop.connect_accepted_socket(lambda: bridge, ours)
        before = self._tls.replace_inner(_FromClient(bridge, self))
        if before is not None:
            loop.call_soon(before.connection_lost, None)
        self._tls.raw.set_write_buffer_limits()
        self._tls.resume()
        return theirs


class _Bridge(asyncio.Protocol):
    """Our end of the pair: what the engine says, on its way to the client."""

    def __init__(self, client: TLSTransport) -> None:
        self._client = client
        self.engine_done = False
        self.client_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.pair = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def eof_received(self) -> bool:
        self.engine_done = True
        self._client.write_eof()
        self.end_if_both_have()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._client.close()

    def pause_writing(self) -> None:
        self._client.pause_reading()

    def resume_writing(self) -> None:
        self._client.resume_reading()

    def end_if_both_have(self) -> None:
        if self.engine_done and self.client_done:
            self._client.close()
            self.pair.close()


class _FromClient(asyncio.Protocol):
    """The decrypted side: what the client says, on its way to the engine."""

    def __init__(self, bridge: _Bridge, client: TLSTransport) -> None:
        self._bridge, self._client = bridge, client

    def data_received(self, data: bytes) -> None:
        self._bridge.pair.write(data)

    def eof_received(self) -> bool:
        self._bridge.client_done = True
        with contextlib.suppress(OSError, RuntimeError):
            self._bridge.pair.write_eof()
        self._bridge.end_if_both_have()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._bridge.pair.close()

    def pause_writing(self) -> None:
        if not self._bridge.pair.is_closing():
            self._bridge.pair.pause_reading()

    def resume_writing(self) -> None:
        if not self._bridge.pair.is_closing():
            self._bridge.pair.resume_reading()
