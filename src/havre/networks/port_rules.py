"""The rules that lead a published port of the host to its sandbox: an element a port, never a rule a port. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from havre.kernel.nft import JSON, Command
from havre.networks import nft_words as words
from havre.networks.nft_words import INET

DYNAMIC = frozenset({"any_address", "any_port", "one_address", "one_port", "published"})
"""The sets and maps whose elements belong to sandboxes."""
_TO_PORT = -100
_ANY = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class Forward:
    """What arrives for *host_port* at *host_ip*, or at any address when that is 0.0.0.0, goes to *address*."""

    host_ip: str
    host_port: int
    protocol: str
    address: str
    port: int


def forward_tables(forwards: Iterable[Forward]) -> list[Command]:
    """The maps, and the chains that ask them for what comes from outside and for what this host sends itself."""
    service: list[str] = ["inet_proto", "inet_service"]
    return [
        _map("any_address", service, "ipv4_addr"),
        _map("any_port", service, "inet_service"),
        _map("one_address", ["ipv4_addr", *service], "ipv4_addr"),
        _map("one_port", ["ipv4_addr", *service], "inet_service"),
        *add_forwards(forwards),
        *_translating("entering", "prerouting"),
        *_translating("sending", "output"),
    ]


def returning_rules() -> list[Command]:
    """Senders that the answer would not find back through us: loopback addresses, and neighbours on one bridge."""
    home = words.both(words.meta("oifname"), words.field("ip", "saddr"))
    loopback: JSON = {"prefix": {"addr": "127.0.0.0", "len": 8}}
    to_bridge = words.match(words.meta("oifname"), "@bridges")
    translated: Command = {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}
    masquerade: Command = {"masquerade": None}
    return [
        words.rule(INET, "leaving", words.match(words.field("ip", "saddr"), loopback), to_bridge, masquerade),
        words.rule(INET, "leaving", words.match(home, "@homes"), to_bridge, translated, masquerade),
    ]


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
    kind = "any" if forward.host_ip == _ANY else "one"
    place: list[JSON] = [forward.protocol, forward.host_port]
    key: JSON = {"concat": place if kind == "any" else [forward.host_ip, *place]}
    inner: JSON = {"concat": [forward.address, forward.protocol, forward.port]}
    return [
        {**INET, "name": f"{kind}_address", "elem": [[key, forward.address]]},
        {**INET, "name": f"{kind}_port", "elem": [[key, forward.port]]},
        {**INET, "name": "published", "elem": [inner]},
    ]


def _translating(chain: str, hook: str) -> list[Command]:
    service: list[JSON] = [words.meta("l4proto"), words.field("th", "dport")]
    one: JSON = {"concat": [words.field("ip", "daddr"), *service]}
    here: Command = {"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}
    return [
        words.base_chain(INET, chain, "nat", hook, _TO_PORT),
        words.rule(INET, chain, _translate(one, "one")),
        words.rule(INET, chain, here, _translate({"concat": service}, "any")),
    ]


def _translate(key: JSON, kind: str) -> Command:
    address: JSON = {"map": {"key": key, "data": f"@{kind}_address"}}
    port: JSON = {"map": {"key": key, "data": f"@{kind}_port"}}
    return {"dnat": {"family": "ip", "addr": address, "port": port}}


def _map(name: str, key: list[str], value: str) -> Command:
    return {"add": {"map": {**INET, "name": name, "type": key, "map": value}}}
