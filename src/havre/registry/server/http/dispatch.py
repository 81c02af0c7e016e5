"""The one place where requests come in and errors go out: parse, identify, check, call one handler, answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar

from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.web_protocol import RequestHandler

from havre.base.errors import HavreError
from havre.base.tasks import in_thread
from havre.registry.server.auth.access import Action
from havre.registry.server.auth.callers import CATALOG_SCOPE, Caller, Door, Scope, repository_scope
from havre.registry.server.auth.service import PATH as TOKEN_PATH
from havre.registry.server.http.access_log import log_request
from havre.registry.server.http.blobs import BlobRoutes
from havre.registry.server.http.exchange import Exchange, refused
from havre.registry.server.http.lists import ListRoutes
from havre.registry.server.http.manifests import ManifestRoutes
from havre.registry.server.http.tokens import TokenRoutes
from havre.registry.server.http.uploads import UploadRoutes
from havre.registry.server.metrics import CONTENT_TYPE, Metrics
from havre.registry.server.paths import (
    BlobAt,
    ManifestAt,
    Plain,
    ReferrersOf,
    TagList,
    Target,
    UploadAt,
    UploadStart,
    parse_target,
)
from havre.registry.server.refusal import Code, Refusal, refusal_of

Verb: TypeAlias = Callable[[Exchange], Awaitable[web.StreamResponse]]
_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_API: Final = {
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
    "Server": "havre",
}
_CLIENT_GONE: Final = 499
_OPEN_PATHS: Final = frozenset({TOKEN_PATH, "/v1/_ping", "/"})
_CATALOG_PATHS: Final = frozenset({"/v2/_catalog", "/metrics"})
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_METHODS: Final = _CHANGES | {"GET", "HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The handlers, a noun each; no *tokens* where another realm, or nobody, gives them."""

    blobs: BlobRoutes
    uploads: UploadRoutes
    manifests: ManifestRoutes
    lists: ListRoutes
    tokens: TokenRoutes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator decided for all requests. *unchanging* is why no change is taken (empty: they are)."""

    unchanging: str = ""
    deletions: bool = True
    public_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Dispatcher:
    """Answers every request of a registry."""

    def __init__(self, door: Door, routes: Routes, policy: Policy, metrics: Metrics) -> None:
        self._door = door
        self._routes = routes
        self._policy = policy
        self._metrics = metrics
        self._headers = {**_API, **policy.headers}
        self.busy: set[RequestHandler] = set()
        """The connections with a request under way."""
        self._idle = asyncio.Event()
        self._idle.set()

    async def drained(self, patience_s: float) -> None:
        """Wait until no request is under way, or the patience is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._idle.wait()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to *request*; raises nothing."""
        start = time.monotonic()
        self.busy.add(request.protocol)
        self._idle.clear()
        caller, place, status, sent = Caller(), "other", _CLIENT_GONE, 0
        try:
            try:
                exchange = self._exchange(request)
                place = _place(exchange.target)
                caller = await self._identify(exchange)
                response = await self._answer(replace(exchange, caller=caller))
            except ConnectionError:
                return _broken_off(request)
            except Exception as error:  # noqa: BLE001  the outermost loop of a request: whatever it was, it is answered
                response = self._failed(request, error)
                if request.writer.output_size:  # of another answer, which cannot be taken back
                    return _broken_off(request)
            if not response.prepared:
                response.headers.update(self._headers)
            status, sent = response.status, response.content_length or 0
            return response
        finally:
            self.busy.discard(request.protocol)
            if not self.busy:
                self._idle.set()
            seconds = time.monotonic() - start
            method = request.method if request.method in _METHODS else "other"
            self._metrics.request(method, place, status, seconds)
            self._metrics.bytes_moved(request.content.total_bytes, sent if request.method != "HEAD" else 0)
            log_request(request, caller.user, status, sent, seconds)

    def _exchange(self, request: web.BaseRequest) -> Exchange:
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
        scheme = scheme if scheme in ("http", "https") else request.scheme
        origin = self._policy.public_url or f"{scheme}://{request.host}"
        return Exchange(request, parse_target(request.raw_path), Caller(), origin, self._headers)

    async def _identify(self, exchange: Exchange) -> Caller:
        """Who asks, if they may ask this. Raises Refusal."""
        if isinstance(exchange.target, Plain) and exchange.target.path in _OPEN_PATHS:
            return Caller()
        scopes = scopes_of(exchange.target, exchange.request.method)
        caller = await self._door.identify(exchange.header("Authorization"), exchange.origin, scopes)
        named = caller.user or caller.claims is not None or self._door.is_open
        if not scopes and not named and not self._shows_search(exchange.target):
            raise self._door.challenge("authentication required", exchange.origin)
        self._door.check(caller, scopes, exchange.origin)
        return caller

    def _shows_search(self, target: Target) -> bool:
        """Whether *target* is the search, and there are repositories that everybody may find."""
        return target == Plain("/v1/search") and self._door.rules.any_anonymous()

    async def _answer(self, exchange: Exchange) -> web.StreamResponse:
        verbs = self._verbs(exchange.target)
        if not verbs:
            raise Refusal(Code.UNSUPPORTED, "no such endpoint", status=404)
        method = exchange.request.method
        verb = verbs.get(exchange.method)
        if verb is None:
            allow = sorted(verbs) + (["HEAD"] if "GET" in verbs else [])
            raise Refusal(Code.UNSUPPORTED, f"{method[:32]} is not offered here", headers={"Allow": ", ".join(allow)})
        if method in _CHANGES and not isinstance(exchange.target, Plain):
            if self._policy.unchanging:
                raise Refusal(Code.UNSUPPORTED, self._policy.unchanging)
            if method == "DELETE" and not self._policy.deletions and not isinstance(exchange.target, UploadAt):
                raise Refusal(Code.UNSUPPORTED, "this registry deletes nothing")
        await _expect(exchange.request)
        return await verb(exchange)

    def _verbs(self, target: Target) -> Mapping[str, Verb]:
        routes = self._routes
        match target:
            case BlobAt():
                return {"GET": _bound(routes.blobs.get, target), "DELETE": _bound(routes.blobs.delete, target)}
            case ManifestAt():
                manifests = routes.manifests
                verbs = {"GET": manifests.get, "PUT": manifests.put, "DELETE": manifests.delete}
                return {method: _bound(verb, target) for method, verb in verbs.items()}
            case UploadStart():
                return {"POST": _bound(routes.uploads.start, target)}
            case UploadAt():
                up = routes.uploads
                steps = {"GET": up.status, "PATCH": up.append, "PUT": up.finish, "DELETE": up.cancel}
                return {method: _bound(verb, target) for method, verb in steps.items()}
            case TagList():
                return {"GET": _bound(routes.lists.tags, target)}
            case ReferrersOf():
                return {"GET": _bound(routes.lists.referrers, target)}
            case Plain():
                return self._plain(target)

    def _plain(self, target: Plain) -> Mapping[str, Verb]:
        lists, tokens = self._routes.lists, self._routes.tokens
        match target.path:
            case "/v2/" | "/v2" | "/v1/_ping" | "/":
                return {"GET": _nothing}
            case "/v2/_catalog":
                return {"GET": _bound(lists.catalog, target)}
            case "/v1/search":
                return {"GET": _bound(lists.search, target)}
            case "/metrics":
                return {"GET": self._show_metrics}
            case path if path == TOKEN_PATH and tokens is not None:
                return {"GET": _bound(tokens.get, target), "POST": _bound(tokens.post, target)}
        return {}

    async def _show_metrics(self, exchange: Exchange) -> web.StreamResponse:
        del exchange
        text = await in_thread(self._metrics.text)
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    def _failed(self, request: web.BaseRequest, error: Exception) -> web.Response:
        """The answer to a request that failed."""
        if isinstance(error, HavreError):
            refusal = refusal_of(error)
            if refusal.status >= 500:
                _log.warning("%s %s: %s", request.method, request.raw_path[:512], error.message)
        else:
            _log.error("%s %s failed", request.method, request.raw_path[:512], exc_info=error)
            refusal = Refusal(Code.UNKNOWN, "the registry failed at this request; its log says more")
        return refused(refusal)


def _broken_off(request: web.BaseRequest) -> web.Response:
    """End the connection; the answer is for the HTTP library, which finds nobody to send it to."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=400)


def _bound(handler: Callable[[Exchange, _T], Awaitable[web.StreamResponse]], target: _T) -> Verb:
    return lambda exchange: handler(exchange, target)


def scopes_of(target: Target, method: str) -> tuple[Scope, ...]:
    """What a request needs the right to do; nothing where it is enough to be known."""
    if isinstance(target, Plain):
        return (CATALOG_SCOPE,) if target.path in _CATALOG_PATHS else ()
    if method == "DELETE" and not isinstance(target, UploadAt):
        return (repository_scope(target.name, Action.DELETE),)
    if method in _CHANGES or isinstance(target, UploadStart | UploadAt):
        return (repository_scope(target.name, Action.PULL, Action.PUSH),)
    return (repository_scope(target.name, Action.PULL),)


def _place(target: Target) -> str:
    return "base" if isinstance(target, Plain) else type(target).__name__


async def _nothing(exchange: Exchange) -> web.StreamResponse:
    """What a client asks to see whether this is a registry, and whether it is known."""
    del exchange
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Docker-Registry-Standalone": "true"}
    return web.Response(body=b"{}", headers=headers)


async def _expect(request: web.BaseRequest) -> None:
    """Ask for the body that a client holds back (RFC 9110, section 10.1.1): it is wanted by now."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        writer = request.writer
        await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.output_size = 0  # the answer itself has not begun
