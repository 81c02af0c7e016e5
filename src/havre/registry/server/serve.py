"""A registry as a whole: its parts built once, its listener, and the work that it does beside its requests."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from havre.base.errors import HavreError, InvalidInput
from havre.base.tasks import Tasks, in_own_thread, in_thread
from havre.content.store import Content
from havre.registry.server.auth.callers import Door
from havre.registry.server.auth.htpasswd import Htpasswd
from havre.registry.server.auth.service import PATH as TOKEN_PATH
from havre.registry.server.auth.service import TokenService
from havre.registry.server.auth.tokens import Signer, Verifier, load_trust
from havre.registry.server.backlog import Backlog
from havre.registry.server.collection import Ages, collect
from havre.registry.server.config.document import Tls
from havre.registry.server.config.durations import parse_duration
from havre.registry.server.config.settings import Settings
from havre.registry.server.fetching import Own, Source
from havre.registry.server.http.blobs import BlobRoutes
from havre.registry.server.http.dispatch import Dispatcher, Policy, Routes
from havre.registry.server.http.listener import Listener
from havre.registry.server.http.lists import ListRoutes
from havre.registry.server.http.manifests import ManifestRoutes
from havre.registry.server.http.tokens import TokenRoutes
from havre.registry.server.http.uploads import UploadRoutes
from havre.registry.server.metrics import Metrics, Sample
from havre.registry.server.needs import Needs
from havre.registry.server.notices import Board
from havre.registry.server.proxy.cache import Cache
from havre.registry.server.proxy.upstream import Upstream
from havre.registry.server.records.blobs import BlobRecords
from havre.registry.server.records.database import Database
from havre.registry.server.records.lists import Lists
from havre.registry.server.records.manifests import ManifestRecords
from havre.registry.server.repositories import Records, Repositories
from havre.registry.server.scrubbing import at_rate, scrub
from havre.registry.server.uploads import Uploads
from havre.registry.server.webhooks import Webhooks

_SHUTDOWN_S: Final = 10.0
_LAST_S: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a running registry is made of."""

    repositories: Repositories
    uploads: Uploads
    dispatcher: Dispatcher
    tokens: TokenService | None


async def serve(settings: Settings, until: asyncio.Event, ready: Callable[[int, Callable[[], None]], None]) -> None:
    """Serve until *until* is set. Raises HavreError, OSError.

    Once clients can come, *ready* is called with the port, and with what reads the TLS certificate again.
    """
    async with AsyncExitStack() as undo:
        parts = await build(settings, undo)
        runner = web.ServerRunner(Listener(parts.dispatcher), shutdown_timeout=_LAST_S)
        await runner.setup()
        undo.push_async_callback(runner.cleanup)
        address, tls = settings.address, _tls(settings.tls)
        site = web.TCPSite(runner, address.host or None, address.port, ssl_context=tls, backlog=1024)
        await site.start()
        tasks = Tasks()
        undo.push_async_callback(tasks.close)
        _start_housekeeping(parts, settings, tasks)
        ready(runner.addresses[0][1] if runner.addresses else address.port, partial(_renew, settings.tls, tls))
        await until.wait()
        await site.stop()
        await parts.dispatcher.drained(_SHUTDOWN_S)  # from here on the HTTP library reads no more of any body


async def build(settings: Settings, undo: AsyncExitStack) -> Parts:
    """Every part of a registry on the folder of *settings*; *undo* takes them apart again. Raises HavreError."""
    root = settings.root
    content = await in_thread(Content, root / "content")
    database = await in_thread(Database, root / "registry.db")
    undo.callback(database.close)
    records = Records(BlobRecords(database), ManifestRecords(database), Lists(database))
    repositories = Repositories(content, records, Needs(settings.times.grace))
    uploads = Uploads(content, records.blobs, repositories.needs, settings.max_blob_bytes)
    undo.callback(uploads.close)
    door, tokens = await in_thread(_door, settings)
    board = Board()
    backlog = await in_thread(Backlog, root / "webhooks.db")
    undo.callback(backlog.close)
    hooks = Webhooks(settings.webhooks, settings.public_url or str(settings.address), backlog)
    hooks.start()
    undo.push_async_callback(hooks.close)
    board.listen(hooks.tell)
    metrics = Metrics(lambda: (*_samples(repositories, uploads), *_hook_samples(hooks)))
    board.listen(lambda notice: metrics.action(notice.action))
    source = _source(settings, repositories, undo)
    routes = Routes(
        blobs=BlobRoutes(repositories, source, board),
        uploads=UploadRoutes(uploads, repositories, door, board),
        manifests=ManifestRoutes(repositories, source, board),
        lists=ListRoutes(records.lists, source, door),
        tokens=TokenRoutes(tokens) if tokens is not None else None,
    )
    policy = Policy(
        unchanging=_unchanging(settings),
        deletions=settings.deletions,
        public_url=settings.public_url,
        headers=settings.headers,
    )
    dispatcher = Dispatcher(door, routes, policy, metrics)
    return Parts(repositories=repositories, uploads=uploads, dispatcher=dispatcher, tokens=tokens)


def _source(settings: Settings, repositories: Repositories, undo: AsyncExitStack) -> Source:
    if settings.proxy is None:
        return Own(repositories)
    upstream, tasks = Upstream(settings.proxy), Tasks()
    undo.push_async_callback(upstream.close)
    undo.push_async_callback(tasks.close)
    return Cache(repositories, upstream, tasks, parse_duration(settings.proxy.ttl, "ttl"))


def _door(settings: Settings) -> tuple[Door, TokenService | None]:
    auth, rules = settings.auth, settings.rules
    if auth.token is not None:
        bundles = [Path(auth.token.rootcertbundle)] if auth.token.rootcertbundle else []
        trust = load_trust(bundles, Path(auth.token.jwks) if auth.token.jwks else None)
        verifier = Verifier(trust, auth.token.issuer, auth.token.service)
        return Door(rules=rules, verifier=verifier, realm=auth.token.realm, service=auth.token.service), None
    if auth.htpasswd is None:
        return Door(rules=rules), None
    users = Htpasswd(Path(auth.htpasswd.path))
    service = auth.tokenservice
    # Docker's client gives up on a Basic challenge when it has no password, even where none is needed.
    if (service is not None and not service.enabled) or (service is None and not rules.any_anonymous()):
        return Door(rules=rules, users=users, basic_realm=auth.htpasswd.realm), None
    name = service.service if service is not None else "havre-registry"
    signer = Signer(settings.root / "token-key.pem", name)
    lifetime = parse_duration(service.expiration if service is not None else "5m", "expiration")
    tokens = TokenService(signer, users, rules, max(1, int(lifetime)))
    return Door(rules=rules, users=users, verifier=signer.verifier(), realm=TOKEN_PATH, service=name), tokens


def _tls(tls: Tls) -> ssl.SSLContext | None:
    if not tls.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        for authority in tls.clientcas:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"TLS certificate {tls.certificate}, key {tls.key}: {error}") from error
    return context


def _renew(tls: Tls, context: ssl.SSLContext | None) -> None:
    """Let new connections see the certificate that the files hold now; a broken one changes nothing."""
    if context is None:
        return
    try:
        _tls(tls)  # a certificate that does not fit its key would leave the context without one
        context.load_cert_chain(tls.certificate, tls.key)
    except (HavreError, OSError) as error:
        _log.warning("the certificate stays as it was: %s", error)
    else:
        _log.info("certificate %s read again", tls.certificate)


def _unchanging(settings: Settings) -> str:
    if settings.proxy is not None:
        return "this registry is a cache of another one: push there"
    return "this registry is read-only" if settings.read_only else ""


def _start_housekeeping(parts: Parts, settings: Settings, tasks: Tasks) -> None:
    times = settings.times
    unused = parse_duration(settings.proxy.ttl, "ttl") if settings.proxy is not None else None
    ages = Ages(untagged=times.untagged_after, unused=unused)

    async def clean() -> None:
        done = await in_own_thread(lambda: collect(parts.repositories, ages))
        if done.manifests or done.blobs:
            _log.info("collected %d manifests, %d blobs, %d bytes", done.manifests, done.blobs, done.size)

    async def purge() -> None:
        if gone := await parts.uploads.purge(times.upload_age):
            _log.info("gave up %d uploads that nobody went on with", gone)

    async def check() -> None:
        damaged = await in_own_thread(lambda: scrub(parts.repositories.content, at_rate(times.scrub_rate)))
        for digest in damaged:
            _log.warning("blob %s is damaged: it lies in lost+found, and has to be pushed again", digest)

    if times.scrub_every is not None:
        _ = tasks.start(_repeat(check, times.scrub_every, "scrubbing", first_s=times.scrub_every), name="scrubbing")
    if times.collect_every is not None and not settings.read_only:
        _ = tasks.start(_repeat(clean, times.collect_every, "collection"), name="collection")
    if times.purge_every is not None:
        _ = tasks.start(_repeat(purge, times.purge_every, "purging"), name="purging")


async def _repeat(work: Callable[[], Awaitable[None]], every_s: float, what: str, *, first_s: float = 0) -> None:
    await asyncio.sleep(first_s)
    while True:
        try:
            await work()
        except (HavreError, OSError) as error:
            _log.warning("%s failed, and is tried again later: %s", what, error)
        await asyncio.sleep(every_s)


def _samples(repositories: Repositories, uploads: Uploads) -> Iterable[Sample]:
    counts = repositories.records.lists.counts()
    return (
        Sample("repositories", "gauge", "Repositories", counts.repositories),
        Sample("manifests", "gauge", "Manifests, counted in each repository", counts.manifests),
        Sample("tags", "gauge", "Tags", counts.tags),
        Sample("blobs", "gauge", "Blobs, each counted once", counts.blobs),
        Sample("blob_bytes", "gauge", "Bytes of all blobs", counts.blob_bytes),
        Sample("uploads", "gauge", "Uploads under way", len(uploads)),
    )


def _hook_samples(hooks: Webhooks) -> Iterable[Sample]:
    return (
        Sample(
            "webhook_delivered_total", "counter", "Notices that webhooks took", sum(h.delivered for h in hooks.hooks)
        ),
        Sample("webhook_failed_total", "counter", "Attempts that failed", sum(h.failed for h in hooks.hooks)),
        Sample("webhook_dropped_total", "counter", "Notices dropped", sum(h.dropped for h in hooks.hooks)),
        Sample("webhook_waiting", "gauge", "Notices that wait", sum(len(h) for h in hooks.hooks)),
    )
