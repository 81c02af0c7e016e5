"""What may pass around our bridges, and from their ports: the fixed rules, and the sets that they ask. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from havre.kernel.nft import JSON, Command
from havre.networks import nft_words as words
from havre.networks.nft_words import FAMILIES, INET, Family

_BEFORE_CONNTRACK = -300
_AFTER_CONNTRACK = -150
_FILTER = 0
_SOURCE_NAT = 100
_KNOWN: Command = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}
GUARD_SETS = frozenset({"guarded", "sources", "sources6"})


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What is allowed around one bridge. *talking*: among its own sandboxes; *outward*: to other places.

    The versions of IP in *masked* go out under the host's address; in *direct* hosts outside may name addresses
    behind the bridge, and reach every port of them in *unprotected*.
    """

    bridge_name: str
    subnets: tuple[IPv4Network | IPv6Network, ...]
    talking: bool = True
    outward: bool = True
    masked: frozenset[int] = frozenset({4, 6})
    direct: frozenset[int] = frozenset()
    unprotected: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Guard:
    """The one sender that may come in from a bridge's port: else a sandbox could answer for its neighbours."""

    port: str
    mac: str
    addresses: tuple[str, ...]


def routed_rules(bridges: Sequence[BridgeRules], *, strangers_dropped: frozenset[int]) -> list[Command]:
    """The sets and chains for packets that are routed. Of the versions in *strangers_dropped* only ours are."""
    names: list[JSON] = [rules.bridge_name for rules in bridges]
    talking: list[JSON] = [words.both(each.bridge_name, each.bridge_name) for each in bridges if each.talking]
    return [
        words.table(INET),
        *words.named_set(INET, "bridges", "ifname", names),
        *words.named_set(INET, "talking", ["ifname", "ifname"], talking),
        *words.named_set(INET, "outward", "ifname", [each.bridge_name for each in bridges if each.outward]),
        *(command for family in FAMILIES for command in _family_sets(bridges, family)),
        *_arriving(routed_replies=any(_answers_by_name(each) for each in bridges)),
        *_forwarded(strangers_dropped),
        words.base_chain(INET, "leaving", "nat", "postrouting", _SOURCE_NAT),
        *(_masquerade(family) for family in FAMILIES),
    ]


def _family_sets(bridges: Sequence[BridgeRules], family: Family) -> Iterator[Command]:
    end, version = family.suffix, family.version
    pairs = [(rules, subnet) for rules in bridges for subnet in rules.subnets if subnet.version == version]
    closed: list[JSON] = [words.prefix(subnet) for rules, subnet in pairs if version not in rules.direct]
    homes: list[JSON] = [words.both(rules.bridge_name, words.prefix(subnet)) for rules, subnet in pairs]
    masked: list[JSON] = [words.prefix(subnet) for rules, subnet in pairs if rules.outward and version in rules.masked]
    unprotected: list[JSON] = [rules.bridge_name for rules in bridges if version in rules.unprotected]
    service = [family.kind, "inet_proto", "inet_service"]
    yield from words.named_set(INET, f"subnets{end}", family.kind, closed, interval=True)
    yield from words.named_set(INET, f"homes{end}", ["ifname", family.kind], homes, interval=True)
    yield from words.named_set(INET, f"masqueraded{end}", family.kind, masked, interval=True)
    yield from words.named_set(INET, f"unprotected{end}", "ifname", unprotected)
    yield from words.named_set(INET, f"published{end}", service, [])


def _answers_by_name(rules: BridgeRules) -> bool:
    """Whether answers from outside name addresses behind the bridge that others may not."""
    return rules.outward and any(subnet.version not in rules.masked | rules.direct for subnet in rules.subnets)


def _masquerade(family: Family) -> Command:
    return words.rule(
        INET,
        "leaving",
        words.match(words.field(family.protocol, "saddr"), f"@masqueraded{family.suffix}"),
        words.match(words.meta("oifname"), "lo", op="!="),
        words.match(words.meta("oifname"), "@bridges", op="!="),
        {"masquerade": None},
    )


def _arriving(*, routed_replies: bool) -> list[Command]:
    """Packets that came in elsewhere may not name an address behind a bridge: gateway, sandboxes, other bridges.

    Dropped before connection tracking, so that no state is made for them. Where a subnet goes out without
    masquerading, replies do name its addresses: then the same verdict must wait until they are known.
    """
    priority = _AFTER_CONNTRACK if routed_replies else _BEFORE_CONNTRACK
    chain = [words.base_chain(INET, "arriving", "filter", "prerouting", priority)]
    if routed_replies:
        chain.append(words.rule(INET, "arriving", _KNOWN, words.ACCEPT))
    for family in FAMILIES:
        target = words.field(family.protocol, "daddr")
        outside = [
            words.match(words.meta("iifname"), "lo", op="!="),
            words.match(target, f"@subnets{family.suffix}"),
            words.match({"concat": [words.meta("iifname"), target]}, f"@homes{family.suffix}", op="!="),
        ]
        chain.append(words.rule(INET, "arriving", *outside, words.DROP))
    return chain


def _forwarded(strangers_dropped: frozenset[int]) -> list[Command]:
    ways = {"concat": [words.meta("iifname"), words.meta("oifname")]}
    return [
        words.chain(INET, "inward"),
        words.rule(INET, "inward", _KNOWN, words.ACCEPT),
        words.rule(INET, "inward", words.match(ways, "@talking"), words.ACCEPT),
        *(command for family in FAMILIES for command in _let_in(family)),
        words.rule(INET, "inward", words.DROP),
        words.chain(INET, "outgoing"),
        words.rule(INET, "outgoing", _KNOWN, words.ACCEPT),
        words.rule(INET, "outgoing", words.match(words.meta("iifname"), "@outward"), words.ACCEPT),
        words.rule(INET, "outgoing", words.DROP),
        words.base_chain(INET, "forwarded", "filter", "forward", _FILTER),
        words.rule(INET, "forwarded", words.match(words.meta("oifname"), "@bridges"), {"goto": {"target": "inward"}}),
        words.rule(INET, "forwarded", words.match(words.meta("iifname"), "@bridges"), {"goto": {"target": "outgoing"}}),
        *(_strangers(strangers_dropped) if strangers_dropped else ()),
    ]


def _let_in(family: Family) -> list[Command]:
    port = {"concat": [words.field(family.protocol, "daddr"), words.meta("l4proto"), words.field("th", "dport")]}
    of_family = words.match(words.meta("nfproto"), f"ipv{family.version}")
    elsewhere = words.match(words.meta("iifname"), "@bridges", op="!=")
    unprotected = words.match(words.meta("oifname"), f"@unprotected{family.suffix}")
    return [
        words.rule(INET, "inward", words.match(port, f"@published{family.suffix}"), words.ACCEPT),
        words.rule(INET, "inward", of_family, elsewhere, unprotected, words.ACCEPT),
    ]


def _strangers(versions: frozenset[int]) -> list[Command]:
    """Stop packets between links that are not ours; frames that only cross a bridge of the host go on.

    Those show up here too, where br_netfilter is loaded: in by a bridge and out by a bridge.
    """
    crossing = [words.match(words.meta(key), "bridge") for key in ("iifkind", "oifkind")]
    return [
        words.rule(INET, "forwarded", *crossing, words.ACCEPT),
        *(
            words.rule(INET, "forwarded", words.match(words.meta("nfproto"), f"ipv{version}"), words.DROP)
            for version in sorted(versions)
        ),
    ]


def port_rules(guards: Iterable[Guard]) -> list[Command]:
    """From a guarded port come IP packets and ARP with the sandbox's own addresses, and nothing else.

    Of IPv6 nothing that a router says passes either: RFC 4861, sections 4.2 and 4.5.
    """
    where = words.BRIDGE
    came_in, sent_by = words.meta("iifname"), words.field("ether", "saddr")
    kind = words.field("icmpv6", "type")
    guarded = words.match(came_in, "@guarded")

    def sender(address: Command, name: str) -> Command:
        condition = words.match({"concat": [came_in, sent_by, address]}, f"@{name}")
        return words.rule(where, "ports", condition, words.ACCEPT)

    unset = words.match(words.field("ip6", "saddr"), "::")
    by_routers: Command = {"match": {"op": "==", "left": kind, "right": {"set": ["nd-router-advert", "nd-redirect"]}}}
    return [
        words.table(where),
        *words.named_set(where, "guarded", "ifname", []),
        *words.named_set(where, "sources", ["ifname", "ether_addr", "ipv4_addr"], []),
        *words.named_set(where, "sources6", ["ifname", "ether_addr", "ipv6_addr"], []),
        *({"add": {"element": element}} for guard in guards for element in guard_elements(guard)),
        words.base_chain(where, "ports", "filter", "prerouting", _BEFORE_CONNTRACK),
        sender(words.field("ip", "saddr"), "sources"),
        sender(words.field("arp", "saddr ip"), "sources"),
        words.rule(where, "ports", guarded, by_routers, words.DROP),
        sender(words.field("ip6", "saddr"), "sources6"),
        words.rule(where, "ports", guarded, unset, words.match(kind, "nd-neighbor-solicit"), words.ACCEPT),
        words.rule(where, "ports", guarded, words.DROP),
    ]


def guard_elements(guard: Guard) -> list[dict[str, JSON]]:
    """What one guarded port puts into the sets."""
    made: list[dict[str, JSON]] = [{**words.BRIDGE, "name": "guarded", "elem": [guard.port]}]
    for address in guard.addresses:
        suffix = words.family_of(address).suffix
        sender: JSON = {"concat": [guard.port, guard.mac, address]}
        made.append({**words.BRIDGE, "name": f"sources{suffix}", "elem": [sender]})
    return made
