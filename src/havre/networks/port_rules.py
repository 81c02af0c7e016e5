"""The rules that lead a published port of the host to its sandbox: an element a port, never a rule a port. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from havre.kernel.nft import JSON, Command
from havre.networks import nft_words as words
from havre.networks.nft_words import FAMILIES, INET, IPV4, IPV6, Family

_KINDS = ("any_address", "any_port", "one_address", "one_port", "published")
DYNAMIC = frozenset(f"{kind}{family.suffix}" for kind in _KINDS for family in FAMILIES)
"""The sets and maps whose elements belong to sandboxes."""
_TO_PORT = -100
ANY = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Forward:
    """What arrives for *host_port* at *host_ip*, or at any address when that is 0.0.0.0 or ::, goes to *address*.

    With an empty *host_ip* nothing is translated: the port is open at the sandbox's own address.
    """

    host_ip: str
    host_port: int
    protocol: str
    address: str
    port: int


def forward_tables(forwards: Iterable[Forward]) -> list[Command]:
    """The maps, and the chains that ask them for what comes from outside and for what this host sends itself."""
    service: list[str] = ["inet_proto", "inet_service"]
    maps = [
        made
        for family in FAMILIES
        for made in (
            _map(f"any_address{family.suffix}", service, family.kind),
            _map(f"any_port{family.suffix}", service, "inet_service"),
            _map(f"one_address{family.suffix}", [family.kind, *service], family.kind),
            _map(f"one_port{family.suffix}", [family.kind, *service], "inet_service"),
        )
    ]
    return [*maps, *add_forwards(forwards), *_translating("entering", "prerouting"), *_translating("sending", "output")]


def returning_rules() -> list[Command]:
    """Senders that the answer would not find back through us: loopback addresses, and neighbours on one bridge."""
    loopback: JSON = {"prefix": {"addr": "127.0.0.0", "len": 8}}
    to_bridge = words.match(words.meta("oifname"), "@bridges")
    translated: Command = {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}
    masquerade: Command = {"masquerade": None}
    rules = [words.rule(INET, "leaving", words.match(words.field("ip", "saddr"), loopback), to_bridge, masquerade)]
    for family in FAMILIES:
        home = words.both(words.meta("oifname"), words.field(family.protocol, "saddr"))
        at_home = words.match(home, f"@homes{family.suffix}")
        rules.append(words.rule(INET, "leaving", at_home, to_bridge, translated, masquerade))
    return rules


def loopback_rule() -> Command:
    """With route_localnet a link would let in what names a loopback address: nothing but `lo` may."""
    loopback: JSON = {"prefix": {"addr": "127.0.0.0", "len": 8}}
    outside = words.match(words.meta("iifname"), "lo", op="!=")
    return words.rule(INET, "arriving", outside, words.match(words.field("ip", "daddr"), loopback), words.DROP)


def add_forwards(forwards: Iterable[Forward]) -> list[Command]:
    """The elements of these ports."""
    return [{"add": {"element": element}} for each in forwards for element in elements(each)]


def remove_forwards(forwards: Iterable[Forward]) -> list[Command]:
    """The same elements taken away."""
    return [{"delete": {"element": element}} for each in forwards for element in elements(each)]


def elements(forward: Forward) -> list[dict[str, JSON]]:
    """What one port puts into the sets and maps."""
    kind = "any" if forward.host_ip in ANY else "one"
    suffix = words.family_of(forward.address).suffix
    place: list[JSON] = [forward.protocol, forward.host_port]
    key: JSON = {"concat": place if kind == "any" else [forward.host_ip, *place]}
    inner: JSON = {"concat": [forward.address, forward.protocol, forward.port]}
    opened: dict[str, JSON] = {**INET, "name": f"published{suffix}", "elem": [inner]}
    if not forward.host_ip:
        return [opened]
    return [
        {**INET, "name": f"{kind}_address{suffix}", "elem": [[key, forward.address]]},
        {**INET, "name": f"{kind}_port{suffix}", "elem": [[key, forward.port]]},
        opened,
    ]


def _translating(chain: str, hook: str) -> list[Command]:
    rules = [words.base_chain(INET, chain, "nat", hook, _TO_PORT)]
    here: Command = {"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}
    # Nothing leads what was sent from ::1 to another link: such a packet is left to the relay.
    routable = words.match(words.field("ip6", "daddr"), "::1", op="!=")
    for family, first in ((IPV4, ()), (IPV6, (routable,))):
        service: list[JSON] = [words.meta("l4proto"), words.field("th", "dport")]
        of_family = words.match(words.meta("nfproto"), f"ipv{family.version}")
        one: JSON = {"concat": [words.field(family.protocol, "daddr"), *service]}
        rules.append(words.rule(INET, chain, *first, _translate(one, "one", family)))
        rules.append(words.rule(INET, chain, of_family, *first, here, _translate({"concat": service}, "any", family)))
    return rules


def _translate(key: JSON, kind: str, family: Family) -> Command:
    address: JSON = {"map": {"key": key, "data": f"@{kind}_address{family.suffix}"}}
    port: JSON = {"map": {"key": key, "data": f"@{kind}_port{family.suffix}"}}
    return {"dnat": {"family": family.protocol, "addr": address, "port": port}}


def _map(name: str, key: list[str], value: str) -> Command:
    return {"add": {"map": {**INET, "name": name, "type": key, "map": value}}}
