"""Who has which name and address: a table a network, and what one sandbox sees of them.

Tables are changed by the thread of the networks and read by the one that answers.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_WILD = "*."


@dataclass(frozen=True, slots=True)
class Member:
    """One endpoint of a network: all *names* lead to all *addresses*, and these back to *pointer*.

    A name that begins with `*.` stands for every name below the rest that nobody has.
    """

    names: tuple[str, ...]
    addresses: tuple[Address, ...]
    pointer: str


class Table:
    """The members of one network, for any thread.

    Putting a member again replaces it; dropping an unknown one is no error. *version* grows with each change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._lock = threading.Lock()
        self._members: dict[str, Member] = {}
        self._holders: dict[str, tuple[str, ...]] = {}
        self._pointers: dict[Address, str] = {}
        self._wild = 0

    def put(self, key: str, member: Member) -> None:
        """Let *member* be known, under the *key* of its endpoint."""
        with self._lock:
            self._forget(key)
            self._members[key] = member
            for name in {name.lower() for name in member.names}:
                self._holders[name] = (*self._holders.get(name, ()), key)
                self._wild += name.startswith(_WILD)
            for address in member.addresses:
                self._pointers[address] = member.pointer

    def drop(self, key: str) -> None:
        """Forget a member with all its names."""
        with self._lock:
            self._forget(key)

    def find(self, name: str) -> tuple[Address, ...] | None:
        """The addresses of all that have *name*, which is in lower case; None if nobody has it."""
        with self._lock:
            holders = self._holders.get(name)
            if holders is None and self._wild:
                holders = self._find_wild(name)
            if holders is None:
                return None
            return tuple(address for key in holders for address in self._members[key].addresses)

    def find_pointer(self, address: Address) -> str | None:
        """The name of whoever has *address*."""
        return self._pointers.get(address)

    def _forget(self, key: str) -> None:
        self.version += 1
        member = self._members.pop(key, None)
        if member is None:
            return
        for name in {name.lower() for name in member.names}:
            rest = tuple(each for each in self._holders[name] if each != key)
            if rest:
                self._holders[name] = rest
            else:
                del self._holders[name]
            self._wild -= name.startswith(_WILD)
        for address in member.addresses:
            self._pointers.pop(address, None)

    def _find_wild(self, name: str) -> tuple[str, ...] | None:
        """The nearest wildcard wins, as in RFC 4592."""
        while "." in name:
            name = name.partition(".")[2]
            if (holders := self._holders.get(_WILD + name)) is not None:
                return holders
        return None


@dataclass(frozen=True, slots=True)
class View:
    """What one sandbox sees: the first of *tables* that knows a name answers.

    Without *forwards* nothing is asked elsewhere. *whole_names* says that the sandbox completes names itself
    (its option `ndots` is set), so that a name of one label is not asked elsewhere either.
    """

    tables: tuple[Table, ...] = field(default=())
    forwards: bool = True
    whole_names: bool = False

    @property
    def version(self) -> int:
        """Another number after each change of what is seen."""
        return sum([table.version for table in self.tables])

    def find(self, name: str) -> tuple[Address, ...] | None:
        """The addresses behind *name*, in lower case and without the last dot; None if no table knows it."""
        for table in self.tables:
            if (found := table.find(name)) is not None:
                return found
        return None

    def find_pointer(self, address: Address) -> str | None:
        """The name behind *address*."""
        for table in self.tables:
            if (found := table.find_pointer(address)) is not None:
                return found
        return None


def view_of(tables: Iterable[Table], *, forwards: bool = True, whole_names: bool = False) -> View:
    """A view of *tables*, in the order in which they are asked."""
    return View(tuple(tables), forwards, whole_names)
