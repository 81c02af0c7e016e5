"""What happened in a registry, told to whoever listens: webhooks and counters."""

from collections.abc import Callable
from dataclasses import dataclass, field

from havre.base.clock import now_ns
from havre.base.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The request behind a notice."""

    address: str
    host: str
    method: str
    user_agent: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened: *action* is `push`, `pull`, `mount` or `delete`."""

    action: str
    repository: str
    url: str
    origin: Origin
    digest: str = ""
    media_type: str = ""
    size: int = 0
    tag: str = ""
    source: str = ""
    id: str = field(default_factory=new_id)
    time_ns: int = field(default_factory=now_ns)


class Board:
    """Hands every notice to every listener at once; a listener never waits and never fails."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Notice], None]] = []

    def listen(self, listener: Callable[[Notice], None]) -> None:
        """Tell *listener* of everything from now on."""
        self._listeners.append(listener)

    def tell(self, notice: Notice) -> None:
        """Something happened."""
        for listener in self._listeners:
            listener(notice)
