"""Webhooks: every notice goes to every endpoint, in Docker's envelope, in order, again and again until it is taken."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec

from havre.base.clock import rfc3339
from havre.base.ids import new_id
from havre.base.tasks import Tasks
from havre.registry.server.backlog import Backlog
from havre.registry.server.config.document import Endpoint
from havre.registry.server.config.durations import parse_duration
from havre.registry.server.notices import Notice

MEDIA_TYPE: Final = "application/vnd.docker.distribution.events.v2+json"
_FIRST_PAUSE_S: Final = 0.1
_log = logging.getLogger(__name__)


class Webhook:
    """One endpoint: a bounded queue, and one request at a time.

    An endpoint that fails is tried again after pauses that double up to its `backoff`. While it is away, the
    oldest notices are dropped when there are more than its `queue`. What waits is in *backlog*, and goes on after a
    restart; a notice whose delivery was cut off may come twice, with the same id.
    """

    def __init__(self, endpoint: Endpoint, source: str, backlog: Backlog) -> None:
        self._endpoint = endpoint
        self._source = source
        self._name = name_of(endpoint)
        self._limit = max(1, endpoint.queue)
        self._backlog = backlog
        self._waiting = deque(backlog.waiting(self._name))
        self._arrived = asyncio.Event()
        if self._waiting:
            self._arrived.set()
        self._backoff_s = parse_duration(endpoint.backoff, "backoff")
        self._timeout = aiohttp.ClientTimeout(total=parse_duration(endpoint.timeout, "timeout"))
        self.delivered = 0
        self.failed = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, notice: Notice) -> None:
        """Take a notice, unless the endpoint ignores its kind."""
        ignored = self._endpoint.ignore
        types = (*self._endpoint.ignoredmediatypes, *ignored.get("mediatypes", ()))
        if notice.media_type in types or notice.action in ignored.get("actions", ()):
            return
        while len(self._waiting) >= self._limit:
            self._backlog.remove(self._waiting.popleft()[0])
            self.dropped += 1
        self._waiting.append((self._backlog.add(self._name, notice), notice))
        self._arrived.set()

    async def deliver(self, session: aiohttp.ClientSession) -> None:
        """Send what waits, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                number, notice = self._waiting.popleft()
                await self._send(session, notice)
                self._backlog.remove(number)

    async def _send(self, session: aiohttp.ClientSession, notice: Notice) -> None:
        body = msgspec.json.encode(envelope(notice, self._source))
        headers = {name: ", ".join(values) for name, values in self._endpoint.headers.items()}
        headers["Content-Type"] = MEDIA_TYPE
        pause = _FIRST_PAUSE_S
        while (problem := await self._attempt(session, body, headers)) is not None:
            self.failed += 1
            _log.warning("webhook %s: %s; next attempt in %.1f s", self._name, problem, min(pause, self._backoff_s))
            await asyncio.sleep(min(pause, self._backoff_s))
            pause *= 2
        self.delivered += 1

    async def _attempt(self, session: aiohttp.ClientSession, body: bytes, headers: dict[str, str]) -> str | None:
        """None when the endpoint took it, else what went wrong."""
        try:
            async with session.post(
                self._endpoint.url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as answer:
                return None if answer.status < 400 else f"status {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return str(error) or type(error).__name__


class Webhooks:
    """All endpoints of a registry, and the tasks that serve them."""

    def __init__(self, endpoints: Sequence[Endpoint], source: str, backlog: Backlog) -> None:
        backlog.keep_only(name_of(endpoint) for endpoint in endpoints)
        self.hooks = tuple(Webhook(endpoint, source, backlog) for endpoint in endpoints)
        self._tasks = Tasks()
        self._session: aiohttp.ClientSession | None = None

    def tell(self, notice: Notice) -> None:
        """Take a notice for all of them."""
        for hook in self.hooks:
            hook.put(notice)

    def start(self) -> None:
        """Begin to deliver."""
        if self.hooks:
            self._session = aiohttp.ClientSession()
            for number, hook in enumerate(self.hooks):
                _ = self._tasks.start(hook.deliver(self._session), name=f"webhook {number}")

    async def close(self) -> None:
        """End; what still waits goes on after the next start."""
        await self._tasks.close()
        if self._session is not None:
            await self._session.close()


def name_of(endpoint: Endpoint) -> str:
    """What an endpoint is called in logs and in the backlog."""
    return endpoint.name or endpoint.url


def envelope(notice: Notice, source: str) -> dict[str, object]:
    """*notice* as Docker's registry sends it; *source* is the registry's own address."""
    target: dict[str, object] = {
        "mediaType": notice.media_type,
        "size": notice.size,
        "digest": notice.digest,
        "length": notice.size,
        "repository": notice.repository,
        "url": notice.url,
    }
    if notice.tag:
        target["tag"] = notice.tag
    if notice.source:
        target["fromRepository"] = notice.source
    origin = notice.origin
    event = {
        "id": notice.id,
        "timestamp": rfc3339(notice.time_ns),
        "action": notice.action,
        "target": target,
        "request": {
            "id": new_id(),
            "addr": origin.address,
            "host": origin.host,
            "method": origin.method,
            "useragent": origin.user_agent,
        },
        "actor": {"name": origin.user} if origin.user else {},
        "source": {"addr": source, "instanceID": _INSTANCE},
    }
    return {"events": [event]}


_INSTANCE: Final = new_id()
