"""The containers in memory, by id and by name: what every verb looks up, without touching the disk."""

import asyncio
import bisect
from collections.abc import Iterator
from typing import Final, NamedTuple

from havre.base.errors import Conflict, InvalidInput, NotFound
from havre.base.ids import ID_LENGTH, is_id_prefix
from havre.engine.model import Record
from havre.engine.seams import Shim
from havre.engine.waiting import Endings

_SHORT: Final = 12


class NoSuchContainer(NotFound):
    """No container has this name, id or beginning of an id."""


class NameTaken(Conflict):
    """Another container has the name."""


class Row(NamedTuple):
    """How the list shows a container, encoded, in three pieces.

    They are what comes before the image's name, between it and the status, and after.
    """

    head: bytes
    middle: bytes
    tail: bytes


class Container:
    """One container as it lives: its record, its shim while it runs, and those who wait for it.

    The lock is held by verbs that change what it is, never by one that waits for its end. *record* is replaced,
    never changed; *row* is how the list shows it, encoded. *stopped* is set while no process exists, *released* once
    what others may want of its last run is given back (network, volumes), *settled* once all is. *delay_s* is how long
    the last automatic start waited; with *again* its end is followed by one whatever its restart policy says.
    """

    __slots__ = (
        "again",
        "delay_s",
        "endings",
        "execs",
        "gone",
        "lock",
        "record",
        "released",
        "row",
        "settled",
        "shim",
        "stopped",
    )

    def __init__(self, record: Record) -> None:
        self.record = record
        self.lock = asyncio.Lock()
        self.endings = Endings()
        self.shim: Shim | None = None
        self.gone = False
        self.stopped = asyncio.Event()
        self.released = asyncio.Event()
        self.settled = asyncio.Event()
        self.stopped.set()
        self.released.set()
        self.settled.set()
        self.execs: set[str] = set()
        self.row: Row | None = None
        self.delay_s = 0.0
        self.again = False

    @property
    def id(self) -> str:
        """The whole id."""
        return self.record.id

    @property
    def name(self) -> str:
        """The name, without a slash."""
        return self.record.name


class Roster:
    """Who is there. Names are reserved before a container exists, so that two creations cannot share one."""

    def __init__(self) -> None:
        self._by_id: dict[str, Container] = {}
        self._names: dict[str, str] = {}
        self._sorted: list[str] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._by_id.values()))

    @property
    def names(self) -> dict[str, str]:
        """Each name that is taken, with the id of the container that has it."""
        return self._names

    def reserve(self, name: str, identifier: str) -> None:
        """Keep *name* for *identifier*. Raises NameTaken."""
        owner = self._names.setdefault(name, identifier)
        if owner != identifier:
            raise NameTaken(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    def release(self, name: str, identifier: str) -> None:
        """Give *name* back, if *identifier* has it."""
        if self._names.get(name) == identifier:
            del self._names[name]

    def add(self, container: Container) -> None:
        """Let it be found; its name is reserved already, or free."""
        self.reserve(container.name, container.id)
        self._by_id[container.id] = container
        bisect.insort(self._sorted, container.id)

    def drop(self, container: Container) -> None:
        """Let it no longer be found."""
        if self._by_id.pop(container.id, None) is None:
            return
        del self._sorted[bisect.bisect_left(self._sorted, container.id)]
        self.release(container.name, container.id)

    def find(self, identifier: str) -> Container | None:
        """The container with exactly this id."""
        return self._by_id.get(identifier)

    def get(self, ref: str) -> Container:
        """The container that *ref* means: a whole id, else a name, else the beginning of one id only.

        Raises NoSuchContainer, or InvalidInput for a beginning of several ids.
        """
        if (whole := self._by_id.get(ref)) is not None:
            return whole
        owner = self._names.get(ref.removeprefix("/"))
        if owner is not None and (named := self._by_id.get(owner)) is not None:
            return named
        if is_id_prefix(ref) and len(ref) < ID_LENGTH:
            start = bisect.bisect_left(self._sorted, ref)
            found = [one for one in self._sorted[start : start + 2] if one.startswith(ref)]
            if len(found) > 1:
                raise InvalidInput(f"Multiple IDs found with provided prefix: {ref}")
            if found:
                return self._by_id[found[0]]
        raise NoSuchContainer(f"No such container: {ref}")
