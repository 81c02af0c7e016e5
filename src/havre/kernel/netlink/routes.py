"""Requests about routes and neighbours, and the list of routes. rtnetlink(7)."""

import errno
import ipaddress
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from havre.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    Request,
    attribute,
    number,
    split_body,
    to_number,
)
from havre.kernel.netlink.connection import Netlink

_RTM_NEWROUTE = 24
_RTM_DELROUTE = 25
_RTM_GETROUTE = 26
_RTM_DELNEIGH = 29
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_TABLE = 15
_NDA_DST = 1
_TABLE_MAIN = 254
_PROTOCOL_BOOT = 3
_SCOPE_UNIVERSE = 0
_UNICAST = 1
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # struct ndmsg: family, index, state, flags, type


_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_GONE = frozenset((errno.ESRCH, errno.ENODEV, errno.ENETUNREACH))


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route. *index* is that of the link it leaves by, 0 for several or none."""

    destination: IPv4Network | IPv6Network
    gateway: IPv4Address | IPv6Address | None
    index: int
    table: int


def add_default_route(gateway: IPv4Address | IPv6Address, index: int) -> Request:
    """Send everything of the family that has no nearer route to *gateway* on the link *index*."""
    body = _default(gateway.version, index) + attribute(_RTA_GATEWAY, gateway.packed)
    what = f"add default route by {gateway} on link {index}"
    return Request(_RTM_NEWROUTE, body, what, NLM_F_CREATE | NLM_F_EXCL)


def add_default_link_route(version: int, index: int) -> Request:
    """Take everything of the family that has no nearer route for a neighbour on the link *index*."""
    what = f"add IPv{version} default route on link {index}"
    return Request(_RTM_NEWROUTE, _default(version, index), what, NLM_F_CREATE | NLM_F_EXCL)


def delete_default_route(gateway: IPv4Address | IPv6Address, index: int) -> Request:
    """Take that route away; one that is gone is no error."""
    body = _default(gateway.version, index) + attribute(_RTA_GATEWAY, gateway.packed)
    return Request(_RTM_DELROUTE, body, f"delete default route by {gateway}", harmless=_GONE)


def _default(version: int, index: int) -> bytes:
    head = _ROUTE.pack(_FAMILY[version], 0, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _UNICAST, 0)
    return head + number(_RTA_OIF, index)


def forget_neighbour(address: IPv4Address | IPv6Address, index: int) -> Request:
    """Forget which MAC address answered for *address* on the link *index*; not knowing it is no error."""
    body = _NEIGHBOUR.pack(_FAMILY[address.version], index, 0, 0, 0) + attribute(_NDA_DST, address.packed)
    harmless = frozenset((errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL))
    return Request(_RTM_DELNEIGH, body, f"forget neighbour {address}", harmless=harmless)


def list_routes(netlink: Netlink) -> list[Route]:
    """The unicast routes of all tables, of IPv4 and then of IPv6."""
    found: list[Route] = []
    for family in _FAMILY.values():
        head = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        harmless = frozenset((errno.EOPNOTSUPP, errno.EAFNOSUPPORT))  # a kernel without IPv6
        messages = netlink.dump(Request(_RTM_GETROUTE, head, "list routes", harmless=harmless))
        found += [route for message in messages if (route := parse_route(message)) is not None]
    return found


def parse_route(message: Message) -> Route | None:
    """The route that a message tells of; None if it is no unicast route of IP. Raises MalformedMessage."""
    (family, length, _, _, table, _, _, kind, _), found = split_body(message, _ROUTE)
    if kind != _UNICAST or family not in _FAMILY.values():
        return None
    gateway = found.get(_RTA_GATEWAY)
    size = 4 if family == socket.AF_INET else 16
    start = found.get(_RTA_DST, bytes(size))
    return Route(
        destination=IPv4Network((start, length)) if size == 4 else IPv6Network((start, length)),
        gateway=ipaddress.ip_address(gateway) if gateway else None,
        index=to_number(found.get(_RTA_OIF, b"")),
        table=to_number(found.get(_RTA_TABLE, b"")) or table,
    )
