"""The rules around our bridges: built by pure functions, kept in force in the tables named `havre`.

Two tables carry them, `inet` for what is routed and `bridge` for what goes from port to port. A network or a
sandbox more is an element more in a set, never a rule more. Nothing outside these two tables is written.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from havre.kernel.nft import JSON, Command, Nft, NftRefused

TABLE = "havre"
_INET = {"family": "inet", "table": TABLE}
_BRIDGE = {"family": "bridge", "table": TABLE}
_SANDBOX_SETS = {"guarded", "sources"}
_BEFORE_CONNTRACK = -300
_AFTER_CONNTRACK = -150
_FILTER = 0
_SOURCE_NAT = 100
_ACCEPT: Command = {"accept": None}
_DROP: Command = {"drop": None}
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


def replace_tables(wanted: Wanted) -> list[Command]:
    """The transaction after which exactly *wanted* is there, whatever was before."""
    return [
        *remove_tables(),
        *_routed_tables(wanted),
        *(_port_tables(wanted.guards) if wanted.guards is not None else ()),
    ]


def remove_tables() -> list[Command]:
    """The transaction after which our tables are gone; adding first makes the removal of an absent one no error."""
    names: list[dict[str, JSON]] = [{"table": {"family": where["family"], "name": TABLE}} for where in (_INET, _BRIDGE)]
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

    def is_intact(self, wanted: Wanted) -> bool:
        """Whether the tables are still what `assert_all` made and `guard` added."""
        try:
            listed = self._listed()
        except NftRefused as error:
            if error.names_nothing:
                return False
            raise
        return _frame(listed) == self._frame and _guards(listed) == frozenset(wanted.guards or ())

    def _listed(self) -> list[dict[str, JSON]]:
        tables = self._nft.run([{"list": {"tables": None}}])
        ours = [entry["table"] for entry in tables if _is_ours(entry.get("table"))]
        return [item for table in ours for item in self._nft.run([{"list": {"table": table}}])]


def _routed_tables(wanted: Wanted) -> list[Command]:
    bridges = wanted.bridges
    names: list[JSON] = [rules.bridge_name for rules in bridges]
    homes = [_both(rules.bridge_name, _prefix(rules.subnet)) for rules in bridges]
    return [
        _table(_INET),
        *_set(_INET, "bridges", "ifname", names),
        *_set(_INET, "subnets", "ipv4_addr", [_prefix(rules.subnet) for rules in bridges], interval=True),
        *_set(_INET, "homes", ["ifname", "ipv4_addr"], homes, interval=True),
        *_set(
            _INET,
            "talking",
            ["ifname", "ifname"],
            [_both(rules.bridge_name, rules.bridge_name) for rules in bridges if rules.talking],
        ),
        *_set(_INET, "outward", "ifname", [rules.bridge_name for rules in bridges if rules.outward]),
        *_set(
            _INET,
            "masqueraded",
            "ipv4_addr",
            [_prefix(rules.subnet) for rules in bridges if rules.masquerade and rules.outward],
            interval=True,
        ),
        *_set(_INET, "published", ["ipv4_addr", "inet_proto", "inet_service"], []),
        *_arriving(routed_replies=any(not rules.masquerade for rules in bridges)),
        *_forwarded(strangers_dropped=wanted.strangers_dropped),
        _base_chain(_INET, "leaving", "nat", "postrouting", _SOURCE_NAT),
        _rule(
            _INET,
            "leaving",
            _match(_field("ip", "saddr"), "@masqueraded"),
            _match(_meta("oifname"), "lo", op="!="),
            _match(_meta("oifname"), "@bridges", op="!="),
            {"masquerade": None},
        ),
    ]


def _arriving(*, routed_replies: bool) -> list[Command]:
    """Packets that came in elsewhere may not name an address behind a bridge: gateway, sandboxes, other bridges.

    Dropped before connection tracking, so that no state is made for them. Where a subnet goes out without
    masquerading, replies do name its addresses: then the same verdict must wait until they are known.
    """
    outside = [
        _match(_meta("iifname"), "lo", op="!="),
        _match(_field("ip", "daddr"), "@subnets"),
        _match({"concat": [_meta("iifname"), _field("ip", "daddr")]}, "@homes", op="!="),
    ]
    if not routed_replies:
        return [
            _base_chain(_INET, "arriving", "filter", "prerouting", _BEFORE_CONNTRACK),
            _rule(_INET, "arriving", *outside, _DROP),
        ]
    return [
        _base_chain(_INET, "arriving", "filter", "prerouting", _AFTER_CONNTRACK),
        _rule(_INET, "arriving", _KNOWN, _ACCEPT),
        _rule(_INET, "arriving", *outside, _DROP),
    ]


def _forwarded(*, strangers_dropped: bool) -> list[Command]:
    port = {"concat": [_field("ip", "daddr"), _meta("l4proto"), _field("th", "dport")]}
    ways = {"concat": [_meta("iifname"), _meta("oifname")]}
    return [
        _chain(_INET, "inward"),
        _rule(_INET, "inward", _KNOWN, _ACCEPT),
        _rule(_INET, "inward", _match(ways, "@talking"), _ACCEPT),
        _rule(_INET, "inward", _match(port, "@published"), _ACCEPT),
        _rule(_INET, "inward", _DROP),
        _chain(_INET, "outgoing"),
        _rule(_INET, "outgoing", _KNOWN, _ACCEPT),
        _rule(_INET, "outgoing", _match(_meta("iifname"), "@outward"), _ACCEPT),
        _rule(_INET, "outgoing", _DROP),
        _base_chain(_INET, "forwarded", "filter", "forward", _FILTER),
        _rule(_INET, "forwarded", _match(_meta("oifname"), "@bridges"), {"goto": {"target": "inward"}}),
        _rule(_INET, "forwarded", _match(_meta("iifname"), "@bridges"), {"goto": {"target": "outgoing"}}),
        *(_strangers() if strangers_dropped else ()),
    ]


def _strangers() -> list[Command]:
    """Stop IPv4 packets between links that are not ours; frames that only cross a bridge of the host go on.

    Those show up here too, where br_netfilter is loaded: in by a bridge and out by a bridge.
    """
    return [
        _rule(_INET, "forwarded", _match(_meta("iifkind"), "bridge"), _match(_meta("oifkind"), "bridge"), _ACCEPT),
        _rule(_INET, "forwarded", _match(_meta("nfproto"), "ipv4"), _DROP),
    ]


def _port_tables(guards: Iterable[Guard]) -> list[Command]:
    """From a guarded port come IPv4 and ARP with the sandbox's own address, and nothing else."""
    guards = list(guards)
    ports: list[JSON] = [guard.port for guard in guards]
    came_in, sent_by = _meta("iifname"), _field("ether", "saddr")
    return [
        _table(_BRIDGE),
        *_set(_BRIDGE, "guarded", "ifname", ports),
        *_set(_BRIDGE, "sources", ["ifname", "ether_addr", "ipv4_addr"], [_sender(guard) for guard in guards]),
        _base_chain(_BRIDGE, "ports", "filter", "prerouting", _BEFORE_CONNTRACK),
        _rule(_BRIDGE, "ports", _match({"concat": [came_in, sent_by, _field("ip", "saddr")]}, "@sources"), _ACCEPT),
        _rule(_BRIDGE, "ports", _match({"concat": [came_in, sent_by, _field("arp", "saddr ip")]}, "@sources"), _ACCEPT),
        _rule(_BRIDGE, "ports", _match(came_in, "@guarded"), _DROP),
    ]


def _guard_elements(guard: Guard) -> list[dict[str, JSON]]:
    return [
        {**_BRIDGE, "name": "guarded", "elem": [guard.port]},
        {**_BRIDGE, "name": "sources", "elem": [_sender(guard)]},
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
            dropped = {"handle", "elem"} if kind == "set" and body.get("name") in _SANDBOX_SETS else {"handle"}
            kept = {key: value for key, value in body.items() if key not in dropped}
            found.add(json.dumps({kind: kept}, sort_keys=True))
    return frozenset(found)


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


def _table(where: Mapping[str, str]) -> Command:
    return {"add": {"table": {"family": where["family"], "name": TABLE}}}


def _set(
    where: Mapping[str, str], name: str, kind: str | list[str], elements: Sequence[JSON], *, interval: bool = False
) -> list[Command]:
    made: dict[str, JSON] = {**where, "name": name, "type": kind}
    if interval:
        made["flags"] = ["interval"]
    filled: Command = {"add": {"element": {**where, "name": name, "elem": elements}}}
    return [{"add": {"set": made}}, *([filled] if elements else [])]


def _chain(where: Mapping[str, str], name: str) -> Command:
    return {"add": {"chain": {**where, "name": name}}}


def _base_chain(where: Mapping[str, str], name: str, kind: str, hook: str, priority: int) -> Command:
    return {"add": {"chain": {**where, "name": name, "type": kind, "hook": hook, "prio": priority, "policy": "accept"}}}


def _rule(where: Mapping[str, str], chain: str, *expression: Command) -> Command:
    return {"add": {"rule": {**where, "chain": chain, "expr": expression}}}


def _match(left: JSON, right: JSON, *, op: str = "==") -> Command:
    return {"match": {"op": op, "left": left, "right": right}}


def _meta(key: str) -> Command:
    return {"meta": {"key": key}}


def _field(protocol: str, name: str) -> Command:
    return {"payload": {"protocol": protocol, "field": name}}


def _both(first: JSON, second: JSON) -> Command:
    return {"concat": [first, second]}


def _prefix(subnet: IPv4Network) -> Command:
    return {"prefix": {"addr": str(subnet.network_address), "len": subnet.prefixlen}}
