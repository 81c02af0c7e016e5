"""The rules around our bridges: built by pure functions, kept in force in the tables named `havre`.

Two tables carry them, `inet` for what is routed and `bridge` for what goes from port to port. A network or a
sandbox more is an element more in a set, never a rule more. Nothing outside these two tables is written.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from havre.kernel.nft import JSON, Command, Nft, NftRefused
from havre.networks import nft_words as words
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
_SANDBOX_SETS = DYNAMIC | {"guarded", "sources"}
_BEFORE_CONNTRACK = -300
_AFTER_CONNTRACK = -150
_FILTER = 0
_SOURCE_NAT = 100
_KNOWN: Command = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What is allowed around one bridge. *talking*: among its own sandboxes; *outward*: to other places."""

    bridge_name: str
    subnet: IPv4Network
    talking: bool = True
    outward: bool = True
    masquerade: bool = True


@dataclass(frozen=True, slots=True)
class Guard:
    """The one sender that may come in from a bridge's port: else a sandbox could answer for its neighbours."""

    port: str
    mac: str
    address: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that the tables shall hold.

    *strangers_dropped*: this host forwarded nothing before we turned forwarding on, so it still forwards
    nothing that is not ours. *guards* is None when nobody asked for protection against spoofed senders.
    """

    bridges: tuple[BridgeRules, ...]
    strangers_dropped: bool = False
    guards: tuple[Guard, ...] | None = field(default=())
    forwards: tuple[Forward, ...] = ()


def replace_tables(wanted: Wanted) -> list[Command]:
    """The transaction after which exactly *wanted* is there, whatever was before."""
    return [
        *remove_tables(),
        *_routed_tables(wanted),
        *(_port_tables(wanted.guards) if wanted.guards is not None else ()),
    ]


def remove_tables() -> list[Command]:
    """The transaction after which our tables are gone; adding first makes the removal of an absent one no error."""
    names: list[dict[str, JSON]] = [
        {"table": {"family": where["family"], "name": TABLE}} for where in (words.INET, words.BRIDGE)
    ]
    return [command for name in names for command in ({"add": name}, {"delete": name})]


def add_guard(guard: Guard) -> list[Command]:
    """The elements that one sandbox needs more."""
    return [{"add": {"element": element}} for element in _guard_elements(guard)]


def remove_guard(guard: Guard) -> list[Command]:
    """The elements that go with one sandbox."""
    return [{"delete": {"element": element}} for element in _guard_elements(guard)]


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

    def guard(self, guard: Guard) -> None:
        """Let only this address come in from this port. Raises NftRefused."""
        self._nft.run(add_guard(guard))

    def unguard(self, guard: Guard) -> None:
        """Forget a port; one that is not guarded is no error. Raises NftRefused."""
        try:
            self._nft.run(remove_guard(guard))
        except NftRefused as error:
            if not error.names_nothing:
                raise

    def forward(self, forwards: Iterable[Forward]) -> None:
        """Lead these ports to their sandboxes. Raises NftRefused."""
        self._nft.run(add_forwards(forwards))

    def unforward(self, forwards: Iterable[Forward]) -> None:
        """Lead them no more; one that is not led is no error. Raises NftRefused."""
        for each in forwards:
            try:
                self._nft.run(remove_forwards([each]))
            except NftRefused as error:
                if not error.names_nothing:
                    raise

    def is_intact(self, wanted: Wanted) -> bool:
        """Whether the tables are still what `assert_all` made and `guard` added."""
        try:
            listed = self._listed()
        except NftRefused as error:
            if error.names_nothing:
                return False
            raise
        if _frame(listed) != self._frame or _guards(listed) != frozenset(wanted.guards or ()):
            return False
        return _listed_elements(listed) == _wanted_elements(wanted.forwards)

    def _listed(self) -> list[dict[str, JSON]]:
        tables = self._nft.run([{"list": {"tables": None}}])
        ours = [entry["table"] for entry in tables if _is_ours(entry.get("table"))]
        return [item for table in ours for item in self._nft.run([{"list": {"table": table}}])]


def _routed_tables(wanted: Wanted) -> list[Command]:
    bridges = wanted.bridges
    names: list[JSON] = [rules.bridge_name for rules in bridges]
    homes = [words.both(rules.bridge_name, words.prefix(rules.subnet)) for rules in bridges]
    return [
        words.table(words.INET),
        *words.named_set(words.INET, "bridges", "ifname", names),
        *words.named_set(
            words.INET, "subnets", "ipv4_addr", [words.prefix(rules.subnet) for rules in bridges], interval=True
        ),
        *words.named_set(words.INET, "homes", ["ifname", "ipv4_addr"], homes, interval=True),
        *words.named_set(
            words.INET,
            "talking",
            ["ifname", "ifname"],
            [words.both(rules.bridge_name, rules.bridge_name) for rules in bridges if rules.talking],
        ),
        *words.named_set(words.INET, "outward", "ifname", [rules.bridge_name for rules in bridges if rules.outward]),
        *words.named_set(
            words.INET,
            "masqueraded",
            "ipv4_addr",
            [words.prefix(rules.subnet) for rules in bridges if rules.masquerade and rules.outward],
            interval=True,
        ),
        *words.named_set(words.INET, "published", ["ipv4_addr", "inet_proto", "inet_service"], []),
        *_arriving(routed_replies=any(not rules.masquerade for rules in bridges)),
        *_forwarded(strangers_dropped=wanted.strangers_dropped),
        words.base_chain(words.INET, "leaving", "nat", "postrouting", _SOURCE_NAT),
        words.rule(
            words.INET,
            "leaving",
            words.match(words.field("ip", "saddr"), "@masqueraded"),
            words.match(words.meta("oifname"), "lo", op="!="),
            words.match(words.meta("oifname"), "@bridges", op="!="),
            {"masquerade": None},
        ),
        *returning_rules(),
        loopback_rule(),
        *forward_tables(wanted.forwards),
    ]


def _arriving(*, routed_replies: bool) -> list[Command]:
    """Packets that came in elsewhere may not name an address behind a bridge: gateway, sandboxes, other bridges.

    Dropped before connection tracking, so that no state is made for them. Where a subnet goes out without
    masquerading, replies do name its addresses: then the same verdict must wait until they are known.
    """
    outside = [
        words.match(words.meta("iifname"), "lo", op="!="),
        words.match(words.field("ip", "daddr"), "@subnets"),
        words.match({"concat": [words.meta("iifname"), words.field("ip", "daddr")]}, "@homes", op="!="),
    ]
    if not routed_replies:
        return [
            words.base_chain(words.INET, "arriving", "filter", "prerouting", _BEFORE_CONNTRACK),
            words.rule(words.INET, "arriving", *outside, words.DROP),
        ]
    return [
        words.base_chain(words.INET, "arriving", "filter", "prerouting", _AFTER_CONNTRACK),
        words.rule(words.INET, "arriving", _KNOWN, words.ACCEPT),
        words.rule(words.INET, "arriving", *outside, words.DROP),
    ]


def _forwarded(*, strangers_dropped: bool) -> list[Command]:
    port = {"concat": [words.field("ip", "daddr"), words.meta("l4proto"), words.field("th", "dport")]}
    ways = {"concat": [words.meta("iifname"), words.meta("oifname")]}
    return [
        words.chain(words.INET, "inward"),
        words.rule(words.INET, "inward", _KNOWN, words.ACCEPT),
        words.rule(words.INET, "inward", words.match(ways, "@talking"), words.ACCEPT),
        words.rule(words.INET, "inward", words.match(port, "@published"), words.ACCEPT),
        words.rule(words.INET, "inward", words.DROP),
        words.chain(words.INET, "outgoing"),
        words.rule(words.INET, "outgoing", _KNOWN, words.ACCEPT),
        words.rule(words.INET, "outgoing", words.match(words.meta("iifname"), "@outward"), words.ACCEPT),
        words.rule(words.INET, "outgoing", words.DROP),
        words.base_chain(words.INET, "forwarded", "filter", "forward", _FILTER),
        words.rule(
            words.INET, "forwarded", words.match(words.meta("oifname"), "@bridges"), {"goto": {"target": "inward"}}
        ),
        words.rule(
            words.INET, "forwarded", words.match(words.meta("iifname"), "@bridges"), {"goto": {"target": "outgoing"}}
        ),
        *(_strangers() if strangers_dropped else ()),
    ]


def _strangers() -> list[Command]:
    """Stop IPv4 packets between links that are not ours; frames that only cross a bridge of the host go on.

    Those show up here too, where br_netfilter is loaded: in by a bridge and out by a bridge.
    """
    return [
        words.rule(
            words.INET,
            "forwarded",
            words.match(words.meta("iifkind"), "bridge"),
            words.match(words.meta("oifkind"), "bridge"),
            words.ACCEPT,
        ),
        words.rule(words.INET, "forwarded", words.match(words.meta("nfproto"), "ipv4"), words.DROP),
    ]


def _port_tables(guards: Iterable[Guard]) -> list[Command]:
    """From a guarded port come IPv4 and ARP with the sandbox's own address, and nothing else."""
    guards = list(guards)
    ports: list[JSON] = [guard.port for guard in guards]
    came_in, sent_by = words.meta("iifname"), words.field("ether", "saddr")
    return [
        words.table(words.BRIDGE),
        *words.named_set(words.BRIDGE, "guarded", "ifname", ports),
        *words.named_set(
            words.BRIDGE, "sources", ["ifname", "ether_addr", "ipv4_addr"], [_sender(guard) for guard in guards]
        ),
        words.base_chain(words.BRIDGE, "ports", "filter", "prerouting", _BEFORE_CONNTRACK),
        words.rule(
            words.BRIDGE,
            "ports",
            words.match({"concat": [came_in, sent_by, words.field("ip", "saddr")]}, "@sources"),
            words.ACCEPT,
        ),
        words.rule(
            words.BRIDGE,
            "ports",
            words.match({"concat": [came_in, sent_by, words.field("arp", "saddr ip")]}, "@sources"),
            words.ACCEPT,
        ),
        words.rule(words.BRIDGE, "ports", words.match(came_in, "@guarded"), words.DROP),
    ]


def _guard_elements(guard: Guard) -> list[dict[str, JSON]]:
    return [
        {**words.BRIDGE, "name": "guarded", "elem": [guard.port]},
        {**words.BRIDGE, "name": "sources", "elem": [_sender(guard)]},
    ]


def _sender(guard: Guard) -> Command:
    return {"concat": [guard.port, guard.mac, guard.address]}


def _read_sender(element: JSON) -> Guard | None:
    parts = element.get("concat") if isinstance(element, Mapping) else None
    if not isinstance(parts, list) or len(parts) != 3:
        return None
    return Guard(*map(str, parts))


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
        inside = body.get("elem") if isinstance(body, Mapping) and body.get("name") in DYNAMIC else None
        if isinstance(body, Mapping) and isinstance(inside, list):
            found.update(json.dumps([body["name"], element]) for element in inside)
    return found


def _wanted_elements(forwards: Iterable[Forward]) -> set[str]:
    made: set[str] = set()
    for each in forwards:
        for element in elements(each):
            inside = element["elem"]
            made.update(json.dumps([element["name"], one]) for one in (inside if isinstance(inside, list) else []))
    return made


def _guards(listed: Iterable[Mapping[str, JSON]]) -> frozenset[Guard]:
    """The guards that both sets agree on."""
    guarded: set[JSON] = set()
    sources: set[Guard] = set()
    for entry in listed:
        body = entry.get("set")
        elements = body.get("elem") if isinstance(body, Mapping) else None
        if not isinstance(body, Mapping) or not isinstance(elements, list):
            continue
        if body.get("name") == "guarded":
            guarded.update(elements)
        elif body.get("name") == "sources":
            sources.update(guard for element in elements if (guard := _read_sender(element)) is not None)
    return frozenset(guard for guard in sources if guard.port in guarded)
