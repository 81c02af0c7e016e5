"""Requests on the network: the one file that knows aiohttp, whose import is paid for at the first pull."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from havre.base.tasks import in_thread
from havre.registry.client.bodies import Streamed
from havre.registry.client.certificates import context_for, fingerprint
from havre.registry.client.errors import BadAnswer, Refused, Unreachable
from havre.registry.client.exchange import Reply, Request, origin
from havre.registry.client.following import is_local_address, shown
from havre.registry.client.proxies import proxy_for
from havre.registry.client.settings import Settings

USER_AGENT: Final = "havre/0.1"
_CONNECT_S: Final = 30.0
_READ_BYTES: Final = 256 << 10
_WHOLE_BYTES: Final = 8 << 20
_ERROR_BYTES: Final = 64 << 10
_WINDOW_BYTES: Final = 1024


class HttpAnswer:
    """Implements `exchange.Answer`."""

    def __init__(self, response: aiohttp.ClientResponse, request: Request, stall_s: float) -> None:
        self._response = response
        self._doing = f'{request.method.title()} "{shown(request.url)}"'
        self._stall_s = stall_s
        self.reply = Reply(response.status, {name.lower(): value for name, value in _joined(response).items()})

    async def pieces(self) -> AsyncIterator[bytes]:
        """See Answer."""
        waited_s, count = 0.0, 0
        while True:
            began_s = monotonic()
            try:
                piece = await self._response.content.readany()
            except _FAULTS as error:
                raise Unreachable(f"{self._doing}: {_reason(error)}") from error
            if not piece:
                return
            count += len(piece)
            waited_s += monotonic() - began_s
            if waited_s >= self._stall_s:
                if count < _WINDOW_BYTES:
                    raise Unreachable(f"{self._doing}: only {count} bytes arrived in {waited_s:.0f} seconds")
                waited_s, count = 0.0, 0
            yield piece

    async def read(self) -> bytes:
        """See Answer."""
        return await self._read(_WHOLE_BYTES)

    async def _read(self, limit: int) -> bytes:
        whole = bytearray()
        async for piece in self.pieces():
            whole += piece
            if len(whole) > limit:
                raise BadAnswer(f"{self._doing}: the answer is larger than {limit} bytes")
        return bytes(whole)

    async def read_error(self) -> bytes:
        """See Answer."""
        with suppress(Unreachable, BadAnswer):
            return await self._read(_ERROR_BYTES)
        return b""

    def close(self) -> None:
        """See Answer."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class HttpTransport:
    """Implements `exchange.Transport`: connections to all registries, of one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._contexts: dict[tuple[str, bool], tuple[object, ssl.SSLContext]] = {}
        self._open = _session(_Addresses(guarded=False))
        self._guarded = _session(_Addresses(guarded=True))

    async def close(self) -> None:
        """See Transport."""
        await self._open.close()
        await self._guarded.close()

    async def send(self, request: Request, *, verify: bool) -> HttpAnswer:
        """See Transport."""
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        body, stall_s = request.body, self._settings.stall_s
        if isinstance(body, Streamed) and body.size is not None:
            headers["Content-Length"] = str(body.size)
        context = await self._context(request.url, verify=verify)
        try:
            async with asyncio.timeout(2 * stall_s) as limit:
                response = await (self._guarded if request.guarded else self._open).request(
                    request.method,
                    URL(request.url, encoded=True),
                    data=_moving(body, limit, stall_s) if isinstance(body, Streamed) else body,
                    headers=headers,
                    allow_redirects=False,
                    proxy=proxy_for(request.url, self._settings),
                    ssl=context,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=stall_s),
                )
        except _FAULTS as error:
            kind = Refused if isinstance(error, aiohttp.ClientConnectorError) and _is_refusal(error) else Unreachable
            raise kind(f'{request.method.title()} "{shown(request.url)}": {_reason(error)}') from error
        except (ValueError, TypeError) as error:  # what aiohttp says to an impossible URL
            raise BadAnswer(f'{request.method.title()} "{shown(request.url)}": {error}') from error
        return HttpAnswer(response, request, stall_s)

    async def _context(self, url: str, *, verify: bool) -> ssl.SSLContext | bool:
        scheme, host, port = origin(url)
        if scheme != "https":
            return True
        name = host if port == 443 else f"{host}:{port}"
        folders = self._settings.certificates
        now = await in_thread(fingerprint, name, folders)
        known = self._contexts.get((name, verify))
        if known is None or known[0] != now:  # who adds a certificate need not start anything again
            known = now, await in_thread(context_for, name, folders, verify=verify)
            self._contexts[name, verify] = known
        return known[1]


class _Addresses(AbstractResolver):
    """Resolves as the system does; a *guarded* one does not see this machine."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._system: ThreadedResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._system is None:
            self._system = ThreadedResolver()
        found = await self._system.resolve(host, port, family)
        if self._guarded and any(is_local_address(one["host"]) for one in found):
            raise OSError(None, f"{host} is an address of this machine, where no other host may send us")
        return found

    async def close(self) -> None:
        if self._system is not None:
            await self._system.close()


_FAULTS: Final = (aiohttp.ClientError, TimeoutError, OSError, EOFError)


async def _moving(body: Streamed, limit: asyncio.Timeout, stall_s: float) -> AsyncIterator[bytes]:
    """The body's pieces, as long as they are taken: a registry that stops reading is a fault of its own."""
    loop = asyncio.get_running_loop()
    async for piece in body.pieces():
        limit.reschedule(loop.time() + stall_s)
        yield piece
    limit.reschedule(loop.time() + 2 * stall_s)


def _session(resolver: AbstractResolver) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver, limit=0, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=_READ_BYTES,
        loop=asyncio.get_running_loop(),
    )


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, socket.gaierror):
            return f"dial tcp: lookup {error.host}: {_words(error.os_error)}"
        return f"dial tcp {error.host}:{error.port}: connect: {_words(error.os_error)}"
    if isinstance(error, OSError):
        return _words(error)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | EOFError):
        return "unexpected EOF"
    return str(error) or type(error).__name__


def _is_refusal(error: aiohttp.ClientConnectorError) -> bool:
    refusals = {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH}
    return isinstance(error.os_error, socket.gaierror) or error.os_error.errno in refusals


def _words(error: OSError) -> str:
    """As Go says it: `connection refused`; a resolver's and the TLS layer's own words where they have some."""
    if isinstance(error, socket.gaierror):
        return (error.strerror or str(error)).lower()
    if isinstance(error, ssl.SSLError):
        return f"tls: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return error.strerror or str(error)
