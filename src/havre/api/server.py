"""The listening side: connections in, requests to their routes, errors to their answers."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable
from typing import Final

from havre.api.connection import Connection, Dispatched, House, State
from havre.api.hangup import HangUps
from havre.api.limited import Labels, LimitedHouse
from havre.api.request import Request
from havre.api.response import Answer, Heads, Response, as_error
from havre.api.roles import Limits
from havre.api.router import Route, Router
from havre.api.status import status_of
from havre.api.tls import TLSProtocol
from havre.api.versions import negotiate, split_version
from havre.base.errors import HavreError, NotFound, Unavailable
from havre.base.exhaustion import exhaustion
from havre.base.tasks import Tasks

CONNECTIONS: Final = 1000
BACKLOG: Final = 1024
_SWEEP_S: Final = 1.0
_log = logging.getLogger(__name__)


class Server:
    """Serves routes on any number of sockets.

    It can listen before all routes are known: requests that none of *first* answers wait until `open` gives the rest.
    """

    def __init__(self, first: Router, *, limit: int = CONNECTIONS) -> None:
        self.heads = Heads()
        self.hang_ups = HangUps()
        self.tasks = Tasks()
        self._first = first
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._router: asyncio.Future[Router] = self._loop.create_future()
        self._connections: dict[Connection, None] = {}
        self._encrypted: set[TLSProtocol] = set()
        self._servers: list[asyncio.Server] = []
        self._limited: list[LimitedHouse] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def listen(
        self, listening: socket.socket, context: ssl.SSLContext | None = None, limits: Limits | None = None
    ) -> None:
        """Accept connections on a bound socket, over TLS when there is a *context*, for what *limits* let through."""
        house: House = self
        if limits is not None:
            house = LimitedHouse(self, limits)
            self._limited.append(house)

        def make() -> asyncio.Protocol:
            return (
                Connection(house)
                if context is None
                else TLSProtocol(context, lambda: Connection(house), self._encrypted)
            )

        listening.setblocking(False)
        if listening.family == socket.AF_UNIX:
            server = await self._loop.create_unix_server(make, sock=listening, backlog=BACKLOG)
        else:
            server = await self._loop.create_server(make, sock=listening, backlog=BACKLOG)
        self._servers.append(server)

    def open(self, router: Router, labels: Labels | None = None) -> None:
        """All routes are there; limited sockets ask *labels* who bears what."""
        for house in self._limited:
            house.labels = labels
        self._router.set_result(router)

    async def close(self, grace_s: float) -> None:
        """Listen no more, let the requests in hand end within *grace_s*, then end them. Closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        for server in self._servers:
            server.close()
        if not self._router.done():
            self._router.set_exception(Unavailable("the engine is shutting down"))
            self._router.exception()
        working = [task for connection in list(self._connections) if (task := connection.close()) is not None]
        if working:
            await asyncio.wait(working, timeout=grace_s)
        await self.tasks.close()
        for connection in list(self._connections):
            connection.expire()
        for tls in list(self._encrypted):
            tls.raw.abort()
        for _ in range(3):  # so that transports, and the pairs behind them, are told their end
            await asyncio.sleep(0)
        if self._sweep is not None:
            self._sweep.cancel()
        self.hang_ups.close()

    def dispatch(self, request: Request) -> Dispatched:
        """Begin the work on a request. Never raises."""
        try:
            route = self._route(self._first, request)
            if route is None and not self._router.done():
                return Dispatched(self._later(request))
            return self._run(route or self._get_route(request), request)
        except Exception as error:  # noqa: BLE001  the outermost loop of a request
            return Dispatched(self._told(request, error))

    def admit(self, connection: Connection) -> None:
        """A connection is there; over the limit, the one that has been idle for longest goes."""
        self._connections[connection] = None
        if self._closed:
            connection.expire()
        if len(self._connections) > self._limit:
            idle = [other for other in self._connections if other.idle and other is not connection]
            victim = min(idle, key=lambda other: other.deadline, default=connection)
            victim.expire()
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_connections)

    def leave(self, connection: Connection) -> None:
        """A connection is no more."""
        self._connections.pop(connection, None)

    def _route(self, router: Router, request: Request) -> Route | None:
        asked, path = split_version(request.path)
        found = router.find(request.method, path)
        if found is None:
            return None
        request.version = negotiate(asked)
        route, request.parameters = found
        return route

    def _get_route(self, request: Request) -> Route:
        route = self._route(self._router.result(), request)
        if route is not None:
            return route
        if "//" in request.path:  # names begin with a slash where the API tells them, and come back so
            return Route(request.method, request.path, _to_single_slashes)
        raise NotFound("page not found")

    async def _later(self, request: Request) -> Answer:
        try:
            await asyncio.shield(self._router)
            with exhaustion(f"{request.method} {request.path}"):
                answer = self._get_route(request).handler(request)
                return answer if isinstance(answer, Response) else await answer
        except Exception as error:  # noqa: BLE001  the outermost loop of a request
            return self._told(request, error)

    def _run(self, route: Route, request: Request) -> Dispatched:
        _log.debug("Calling %s %s", request.method, request.path)
        answer = route.handler(request)
        if isinstance(answer, Response):
            return Dispatched(answer)
        return Dispatched(self._awaited(request, answer), route.endless)

    async def _awaited(self, request: Request, answer: Awaitable[Answer]) -> Answer:
        try:
            with exhaustion(f"{request.method} {request.path}"):
                return await answer
        except Exception as error:  # noqa: BLE001  the outermost loop of a request
            return self._told(request, error)

    def _told(self, request: Request, error: Exception) -> Response:
        status = status_of(error)
        if not isinstance(error, HavreError):
            _log.error("Handler for %s %s failed", request.method, request.path, exc_info=error)
        elif status >= 500:
            _log.error("Handler for %s %s returned error: %s", request.method, request.path, error.message)
        else:
            _log.debug("Handler for %s %s returned error: %s", request.method, request.path, error.message)
        return as_error(error)

    def _sweep_connections(self) -> None:
        """End what has waited too long: half a head, an idle connection, an answer nobody takes."""
        now = self._loop.time()
        for connection in list(self._connections):
            if connection.deadline < now and connection.state in (State.HEAD, State.LINGERING):
                connection.expire()
        self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_connections) if self._connections else None


def _to_single_slashes(request: Request) -> Response:
    return Response(301, headers={"Location": request.single_slashed})
