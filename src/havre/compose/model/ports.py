"""Published ports: `[[IP:][HOST[-RANGE]]:]CONTAINER[-RANGE][/PROTOCOL]`, or the same as a mapping."""

from __future__ import annotations

import ipaddress
from typing import Final

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Table, fault
from havre.compose.model import readers as read

_PROTOCOLS: Final = ("tcp", "udp", "sctp")


class Port(Struct, frozen=True):
    """One container port, and where it is published: *published* may be a range of which one is taken."""

    target: int
    published: str = ""
    host_ip: str = ""
    protocol: str = "tcp"
    mode: str = "ingress"
    name: str = ""
    app_protocol: str = ""
    extensions: dict[str, object] = field(default_factory=dict)


def ports(node: Node, path: Path) -> tuple[Port, ...]:
    """The attribute `ports`."""
    found = [port for group in read.tuple_of(_entry)(node, path) for port in group]
    unique = {(port.host_ip, port.target, port.published, port.protocol): port for port in found}
    return tuple(unique.values())


def short_port(text: str) -> tuple[Port, ...]:
    """The ports that one short form means. Raises ValueError."""
    body, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise ValueError(f"invalid protocol {protocol!r} (tcp, udp or sctp expected)")
    rest, _, target = body.rpartition(":")
    host_ip, published = _host_side(rest)
    first, last = _range(target)
    count = last - first + 1
    if not published:
        return tuple(Port(number, "", host_ip, protocol) for number in range(first, last + 1))
    low, high = _range(published)
    if high - low + 1 == count:
        return tuple(Port(first + i, str(low + i), host_ip, protocol) for i in range(count))
    if count == 1:
        return (Port(first, published, host_ip, protocol),)
    raise ValueError(f"port ranges don't match in length: {published} and {target}")


def _host_side(rest: str) -> tuple[str, str]:
    if not rest:
        return "", ""
    host_ip, colon, published = rest.rpartition(":")
    if not colon:
        return "", rest
    host_ip = host_ip.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host_ip)
    except ValueError:
        raise ValueError(f"invalid host address {host_ip!r}") from None
    return host_ip, published


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    ends = [first, last] if dash else [first, first]
    if not all(end.isascii() and end.isdecimal() and len(end) <= 5 and int(end) <= 65535 for end in ends):
        raise ValueError(f"invalid port {text!r}")
    low, high = int(ends[0]), int(ends[1])
    if low > high:
        raise ValueError(f"invalid port range {text!r}: it ends before it starts")
    return low, high


def _entry(node: Node, path: Path) -> tuple[Port, ...]:
    if isinstance(node, Table):
        return (_long(node, path),)
    try:
        return short_port(read.word(node, path))
    except ValueError as error:
        raise fault(node, path, str(error)) from None


def _published(node: Node, path: Path) -> str:
    value = read.word(node, path)
    try:
        _range(value)
    except ValueError as error:
        if value:
            raise fault(node, path, str(error)) from None
    return value


def _target(node: Node, path: Path) -> int:
    value = read.integer(node, path)
    if not 0 < value <= 65535:
        raise fault(node, path, f"invalid port {value}")
    return value


_long = read.record(
    Port,
    {
        "target": _target,
        "published": _published,
        "host_ip": read.text,
        "protocol": read.one_of(*_PROTOCOLS),
        "mode": read.one_of("ingress", "host"),
        "name": read.text,
        "app_protocol": read.text,
    },
    "target",
)
