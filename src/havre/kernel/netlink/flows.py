"""Which flows of datagrams connection tracking remembers, and having it forget some.

Where a flow goes is decided by its first packet, and the decision stands for as long as packets follow. The messages
are those of linux/netfilter/nfnetlink_conntrack.h.
"""

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from havre.kernel.netlink.codec import (
    MalformedMessage,
    Message,
    Request,
    attribute,
    nested,
    number,
    parse_attributes,
    split_body,
)
from havre.kernel.netlink.connection import Netlink

_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2  # of the subsystem for connection tracking
_GENERIC = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_ORIGINAL, _REPLY, _FILTER = 1, 2, 25
_IP, _PROTOCOL = 1, 2
_SOURCES, _TARGETS = (1, 3), (2, 4)  # by version: IPv4, IPv6
_NUMBER, _TARGET_PORT = 1, 3
_ORIGINAL_FLAGS = 1
_BY_NUMBER, _BY_TARGET_PORT = 1 << 3, 1 << 5


@dataclass(frozen=True, slots=True)
class Flow:
    """Datagrams that were sent to *port* of *address*, and are answered by *answering*. *key* is the kernel's."""

    address: str
    port: int
    answering: str
    key: bytes


def list_flows(netlink: Netlink, version: int, port: int = 0) -> list[Flow]:
    """The flows of UDP over one *version* of IP, of those to one *port* alone where it is given.

    *netlink* is a socket of nfnetlink. The kernel walks its whole table for that. Raises KernelError.
    """
    # A kernel before 5.8 ignores the filter, and lists every flow.
    kind = _BY_NUMBER | (_BY_TARGET_PORT if port else 0)
    service = [attribute(_NUMBER, bytes([socket.IPPROTO_UDP]))]
    service += [attribute(_TARGET_PORT, port.to_bytes(2, "big"))] if port else []
    asked = nested(_ORIGINAL, nested(_PROTOCOL, *service)) + nested(_FILTER, number(_ORIGINAL_FLAGS, kind))
    body = _GENERIC.pack(_FAMILIES[version], 0, 0) + asked
    listed = _flows(netlink.dump(Request(_GET, body, "list the flows of datagrams")))
    return [flow for flow in listed if port in {0, flow.port}]


def forget_flows(netlink: Netlink, flows: Iterable[Flow]) -> None:
    """Have their next datagrams be judged as first ones; a flow that is not remembered is no error.

    Raises KernelError.
    """
    netlink.send([_forgetting(flow) for flow in flows])


def _forgetting(flow: Flow) -> Request:
    family = _FAMILIES[ipaddress.ip_address(flow.address).version]
    body = _GENERIC.pack(family, 0, 0) + nested(_ORIGINAL, flow.key)
    what = f"forget a flow of datagrams to {flow.address} port {flow.port}"
    return Request(_DELETE, body, what, harmless=frozenset({errno.ENOENT}))


def _flows(messages: Iterable[Message]) -> Iterator[Flow]:
    for message in messages:
        _, found = split_body(message, _GENERIC)
        key = found.get(_ORIGINAL, b"")
        sent, answered = parse_attributes(key), parse_attributes(found.get(_REPLY, b""))
        service = parse_attributes(sent.get(_PROTOCOL, b""))
        if service.get(_NUMBER) != bytes([socket.IPPROTO_UDP]):
            continue
        port = int.from_bytes(service.get(_TARGET_PORT, b""), "big")
        yield Flow(_address(sent, _TARGETS), port, _address(answered, _SOURCES), key)


def _address(way: dict[int, bytes], kinds: tuple[int, int]) -> str:
    found = parse_attributes(way.get(_IP, b""))
    for kind in kinds:
        if len(raw := found.get(kind, b"")) in (4, 16):
            return str(ipaddress.ip_address(raw))
    raise MalformedMessage("a flow without an address")
