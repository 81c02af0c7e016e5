"""The words of libnftables-json(5) that our tables are written in. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from havre.kernel.nft import JSON, Command

TABLE = "havre"
INET = {"family": "inet", "table": TABLE}
BRIDGE = {"family": "bridge", "table": TABLE}
ACCEPT: Command = {"accept": None}
DROP: Command = {"drop": None}


@dataclass(frozen=True, slots=True)
class Family:
    """One version of IP: its *protocol*, the *kind* of its addresses, and the *suffix* of its sets' names."""

    version: int
    protocol: str
    kind: str
    suffix: str


IPV4 = Family(4, "ip", "ipv4_addr", "")
IPV6 = Family(6, "ip6", "ipv6_addr", "6")
FAMILIES = (IPV4, IPV6)


def family_of(address: str) -> Family:
    """The family that an address is of."""
    return IPV6 if ":" in address else IPV4


def table(where: Mapping[str, str]) -> Command:
    """Make one of our tables."""
    return {"add": {"table": {"family": where["family"], "name": TABLE}}}


def named_set(
    where: Mapping[str, str], name: str, kind: str | list[str], elements: Sequence[JSON], *, interval: bool = False
) -> list[Command]:
    """A set, filled."""
    made: dict[str, JSON] = {**where, "name": name, "type": kind}
    if interval:
        made["flags"] = ["interval"]
    filled: Command = {"add": {"element": {**where, "name": name, "elem": elements}}}
    return [{"add": {"set": made}}, *([filled] if elements else [])]


def chain(where: Mapping[str, str], name: str) -> Command:
    """A chain to jump to."""
    return {"add": {"chain": {**where, "name": name}}}


def base_chain(where: Mapping[str, str], name: str, kind: str, hook: str, priority: int) -> Command:
    """A chain that the kernel calls."""
    return {"add": {"chain": {**where, "name": name, "type": kind, "hook": hook, "prio": priority, "policy": "accept"}}}


def rule(where: Mapping[str, str], chain: str, *expression: Command) -> Command:
    """A rule at the end of a chain."""
    return {"add": {"rule": {**where, "chain": chain, "expr": expression}}}


def match(left: JSON, right: JSON, *, op: str = "==") -> Command:
    """A condition."""
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str) -> Command:
    """What the kernel knows of a packet."""
    return {"meta": {"key": key}}


def field(protocol: str, name: str) -> Command:
    """A field of a header."""
    return {"payload": {"protocol": protocol, "field": name}}


def both(first: JSON, second: JSON) -> Command:
    """Two values as one key."""
    return {"concat": [first, second]}


def prefix(subnet: IPv4Network | IPv6Network) -> Command:
    """A subnet."""
    return {"prefix": {"addr": str(subnet.network_address), "len": subnet.prefixlen}}
