"""What happens, told to whoever listens: a bounded queue a listener, and the last 256 for those that ask back."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

from havre.base import clock
from havre.base.errors import InvalidInput
from havre.wire.events import EventMessage
from havre.wire.filters import Filters

KEPT: Final = 256
_QUEUED: Final = 1024
_NS: Final = 1_000_000_000
_BY_ACTOR: Final = frozenset(
    ["config", "container", "daemon", "image", "network", "node", "plugin", "secret", "service", "volume"]
)
_FILTERS: Final = _BY_ACTOR | {"event", "label", "scope", "type"}
_Queue = asyncio.Queue[EventMessage | None]


class Events:
    """The engine's own news. A listener that is too slow is dropped: its iteration ends."""

    def __init__(self) -> None:
        self._kept: deque[EventMessage] = deque(maxlen=KEPT)
        self._listeners: set[_Queue] = set()
        self._last_ns = 0

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def publish(self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str]) -> None:
        """Tell that *action* happened to *actor_id*, a thing of *kind*."""
        self._last_ns = max(clock.now_ns(), self._last_ns + 1)  # no two events at one time: `since` can tell them apart
        message = _message(kind, action, actor_id, dict(attributes), self._last_ns)
        self._kept.append(message)
        for listener in list(self._listeners):
            try:
                listener.put_nowait(message)
            except asyncio.QueueFull:
                self._drop(listener)

    def subscribe(
        self, filters: Filters, since_ns: int | None = None, until_ns: int | None = None
    ) -> AsyncGenerator[EventMessage, None]:
        """The events that pass *filters*: from *since_ns* (else from now) to *until_ns* (else for ever).

        Listening begins at the call. Raises InvalidInput for an unknown filter.
        """
        unknown = filters.keys() - _FILTERS
        if unknown:
            raise InvalidInput(f"invalid filter '{min(unknown)}'")
        queue: _Queue = asyncio.Queue(_QUEUED)
        past = [] if since_ns is None else [kept for kept in self._kept if _time(kept) >= since_ns]
        if until_ns is not None:
            past = [kept for kept in past if _time(kept) <= until_ns]
        ended = until_ns is not None and until_ns <= clock.now_ns()
        if not ended:
            self._listeners.add(queue)
        return self._listen(
            queue, past, lambda message: passes(message, filters), None if ended else until_ns, ended=ended
        )

    def kept(self) -> tuple[EventMessage, ...]:
        """The last events, oldest first."""
        return tuple(self._kept)

    def close(self) -> None:
        """End all listening."""
        for listener in list(self._listeners):
            self._drop(listener)

    def _drop(self, listener: _Queue) -> None:
        """The listener's iteration ends after what it has not read yet was thrown away."""
        self._listeners.discard(listener)
        while not listener.empty():
            listener.get_nowait()
        listener.put_nowait(None)

    async def _listen(
        self,
        queue: _Queue,
        past: list[EventMessage],
        wanted: Callable[[EventMessage], bool],
        until_ns: int | None,
        *,
        ended: bool,
    ) -> AsyncGenerator[EventMessage, None]:
        try:
            for message in past:
                if wanted(message):
                    yield message
            if ended:
                return
            left = None if until_ns is None else max(0, until_ns - clock.now_ns()) / _NS
            deadline = None if left is None else asyncio.get_running_loop().time() + left
            while (next_one := await _next(queue, deadline)) is not None:
                if wanted(next_one):
                    yield next_one
        finally:
            self._listeners.discard(queue)


async def _next(queue: _Queue, deadline: float | None) -> EventMessage | None:
    """The next event, or None when *deadline* (of the loop's clock) has passed or the listener was dropped."""
    try:
        async with asyncio.timeout_at(deadline):
            return await queue.get()
    except TimeoutError:
        return None


def passes(message: EventMessage, filters: Filters) -> bool:
    """Whether *message* is one of those that *filters* ask for."""
    return all(_passes_one(message, field, values) for field, values in filters.items() if values)


def _passes_one(message: EventMessage, field: str, values: frozenset[str]) -> bool:
    actor = message.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    if field == "event":
        action = message.get("Action") or ""
        return action in values or action.partition(":")[0] in values
    if field == "label":
        return all(_has_label(attributes, wanted) for wanted in values)
    if field in {"type", "scope"}:
        return (message.get("Type" if field == "type" else "scope") or "") in values
    if message.get("Type") != field and not (field == "image" and message.get("Type") == "container"):
        return False
    return _names_actor(message, field, values, attributes)


def _names_actor(message: EventMessage, field: str, values: frozenset[str], attributes: Mapping[str, str]) -> bool:
    actor_id = (message.get("Actor") or {}).get("ID") or ""
    name = attributes.get("name", "")
    if field == "image":
        image = attributes.get("image", name) if message.get("Type") == "container" else name
        own = "" if message.get("Type") == "container" else actor_id
        return any(value in {own, image, image.partition(":")[0]} for value in values)
    return any(value == name or (value and actor_id.startswith(value)) for value in values)


def _has_label(attributes: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in attributes and (not equals or attributes[key] == value)


def _time(message: EventMessage) -> int:
    return message.get("timeNano") or 0


def _message(kind: str, action: str, actor_id: str, attributes: dict[str, str], time_ns: int) -> EventMessage:
    message: EventMessage = {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor_id, "Attributes": attributes},
        "scope": "local",
        "time": time_ns // _NS,
        "timeNano": time_ns,
    }
    if kind in {"container", "image"}:
        message["status"] = action
        message["id"] = actor_id
    if kind == "container" and "image" in attributes:
        message["from"] = attributes["image"]
    return message
