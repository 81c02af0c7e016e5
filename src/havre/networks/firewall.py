"""The rules around our bridges, kept in force in the tables named `havre`.

Two tables carry them, `inet` for what is routed and `bridge` for what goes from port to port. A network or a
sandbox more is an element more in a set, never a rule more. Nothing outside these two tables is written.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from havre.kernel.nft import JSON, Command, Nft, NftRefused
from havre.networks import nft_words as words
from havre.networks.bridge_rules import GUARD_SETS, BridgeRules, Guard, guard_elements, port_rules, routed_rules
from havre.networks.port_rules import (
    DYNAMIC,
    Forward,
    add_forwards,
    elements,
    forward_tables,
    loopback_rule,
    remove_forwards,
    returning_rules,
)

TABLE = words.TABLE
_SANDBOX_SETS = DYNAMIC | GUARD_SETS


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that the tables shall hold.

    *strangers_dropped*: the versions of IP that this host did not forward before we turned it on: it still forwards
    none that is not ours. *guards* is None when nobody asked for protection against spoofed senders.
    """

    bridges: tuple[BridgeRules, ...]
    strangers_dropped: frozenset[int] = frozenset()
    guards: tuple[Guard, ...] | None = field(default=())
    forwards: tuple[Forward, ...] = ()


def replace_tables(wanted: Wanted) -> list[Command]:
    """The transaction after which exactly *wanted* is there, whatever was before."""
    return [
        *remove_tables(),
        *routed_rules(wanted.bridges, strangers_dropped=wanted.strangers_dropped),
        *returning_rules(),
        loopback_rule(),
        *forward_tables(wanted.forwards),
        *(port_rules(wanted.guards) if wanted.guards is not None else ()),
    ]


def remove_tables() -> list[Command]:
    """The transaction after which our tables are gone; adding first makes the removal of an absent one no error."""
    names: list[dict[str, JSON]] = [
        {"table": {"family": where["family"], "name": TABLE}} for where in (words.INET, words.BRIDGE)
    ]
    return [command for name in names for command in ({"add": name}, {"delete": name})]


def add_guards(guards: Iterable[Guard]) -> list[Command]:
    """The elements that these ports need more."""
    return [{"add": {"element": element}} for guard in guards for element in guard_elements(guard)]


def remove_guards(guards: Iterable[Guard]) -> list[Command]:
    """The elements that go with these ports."""
    return [{"delete": {"element": element}} for guard in guards for element in guard_elements(guard)]


class Firewall:
    """Our tables in the kernel; for one thread at a time."""

    def __init__(self, nft: Nft) -> None:
        self._nft = nft
        self._frame: frozenset[str] = frozenset()

    def close(self) -> None:
        """Give the library's context back; the tables stay."""
        self._nft.close()

    def assert_all(self, wanted: Wanted) -> None:
        """Make the tables hold exactly *wanted*, in one transaction. Raises NftRefused."""
        self._nft.run(replace_tables(wanted))
        self._frame = _frame(self._listed())

    def guard(self, guards: Iterable[Guard]) -> None:
        """Let only these addresses come in from these ports. Raises NftRefused."""
        self._run(add_guards(guards))

    def unguard(self, guards: Iterable[Guard]) -> None:
        """Forget ports; one that is not guarded is no error. Raises NftRefused."""
        self._remove(remove_guards(guards))

    def forward(self, forwards: Iterable[Forward]) -> None:
        """Lead these ports to their sandboxes. Raises NftRefused."""
        self._run(add_forwards(forwards))

    def unforward(self, forwards: Iterable[Forward]) -> None:
        """Lead them no more; one that is not led is no error. Raises NftRefused."""
        self._remove(remove_forwards(forwards))

    def is_intact(self, wanted: Wanted) -> bool:
        """Whether the tables are still what `assert_all` made, and guards and forwards added."""
        try:
            listed = self._listed()
        except NftRefused as error:
            if error.names_nothing:
                return False
            raise
        return _frame(listed) == self._frame and _listed_elements(listed) == _wanted_elements(wanted)

    def _run(self, commands: list[Command]) -> None:
        if commands:
            self._nft.run(commands)

    def _remove(self, commands: list[Command]) -> None:
        """All at once; where one of them names what is gone already, one after the other."""
        once = [command for at, command in enumerate(commands) if command not in commands[:at]]
        try:
            self._run(once)
        except NftRefused as error:
            if not error.names_nothing:
                raise
            for command in once:
                self._remove_one(command)

    def _remove_one(self, command: Command) -> None:
        try:
            self._nft.run([command])
        except NftRefused as error:
            if not error.names_nothing:
                raise

    def _listed(self) -> list[dict[str, JSON]]:
        tables = self._nft.run([{"list": {"tables": None}}])
        ours = [entry["table"] for entry in tables if _is_ours(entry.get("table"))]
        return [item for table in ours for item in self._nft.run([{"list": {"table": table}}])]


def _is_ours(table: JSON) -> bool:
    return isinstance(table, Mapping) and table.get("name") == TABLE and table.get("family") in {"inet", "bridge"}


def _frame(listed: Iterable[Mapping[str, JSON]]) -> frozenset[str]:
    """Everything in a list of tables but the handles, which are new each time, and what belongs to sandboxes."""
    found = set()
    for entry in listed:
        for kind, body in entry.items():
            if kind == "metainfo" or not isinstance(body, Mapping):
                continue
            dropped = {"handle", "elem"} if kind in {"set", "map"} and body.get("name") in _SANDBOX_SETS else {"handle"}
            kept = {key: value for key, value in body.items() if key not in dropped}
            found.add(json.dumps({kind: kept}, sort_keys=True))
    return frozenset(found)


def _listed_elements(listed: Iterable[Mapping[str, JSON]]) -> set[str]:
    found: set[str] = set()
    for entry in listed:
        body = entry.get("map") or entry.get("set")
        inside = body.get("elem") if isinstance(body, Mapping) and body.get("name") in _SANDBOX_SETS else None
        if isinstance(body, Mapping) and isinstance(inside, list):
            found.update(json.dumps([body["name"], element]) for element in inside)
    return found


def _wanted_elements(wanted: Wanted) -> set[str]:
    made: set[str] = set()
    all_elements = [element for each in wanted.forwards for element in elements(each)]
    all_elements += [element for guard in wanted.guards or () for element in guard_elements(guard)]
    for element in all_elements:
        inside = element["elem"]
        made.update(json.dumps([element["name"], one]) for one in (inside if isinstance(inside, list) else []))
    return made
