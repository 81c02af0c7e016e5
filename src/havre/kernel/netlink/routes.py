"""Requests about routes and neighbours, and the list of routes. rtnetlink(7)."""

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

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


@dataclass(frozen=True, slots=True)
class Route:
    """An IPv4 unicast route. *index* is that of the link it leaves by, 0 for several or none."""

    destination: IPv4Network
    gateway: IPv4Address | None
    index: int
    table: int


def add_default_route(gateway: IPv4Address, index: int) -> Request:
    """Send everything that has no nearer route to *gateway* on the link *index*."""
    head = _ROUTE.pack(socket.AF_INET, 0, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _UNICAST, 0)
    body = head + attribute(_RTA_GATEWAY, gateway.packed) + number(_RTA_OIF, index)
    what = f"add default route by {gateway} on link {index}"
    return Request(_RTM_NEWROUTE, body, what, NLM_F_CREATE | NLM_F_EXCL)


def forget_neighbour(address: IPv4Address, index: int) -> Request:
    """Forget which MAC address answered for *address* on the link *index*; not knowing it is no error."""
    body = _NEIGHBOUR.pack(socket.AF_INET, index, 0, 0, 0) + attribute(_NDA_DST, address.packed)
    harmless = frozenset((errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL))
    return Request(_RTM_DELNEIGH, body, f"forget neighbour {address}", harmless=harmless)


def list_routes(netlink: Netlink) -> list[Route]:
    """The IPv4 unicast routes of all tables."""
    head = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    messages = netlink.dump(Request(_RTM_GETROUTE, head, "list routes"))
    return [route for message in messages if (route := parse_route(message)) is not None]


def parse_route(message: Message) -> Route | None:
    """The route that a message tells of; None if it is no IPv4 unicast route. Raises MalformedMessage."""
    (family, length, _, _, table, _, _, kind, _), found = split_body(message, _ROUTE)
    if family != socket.AF_INET or kind != _UNICAST:
        return None
    gateway = found.get(_RTA_GATEWAY)
    return Route(
        destination=IPv4Network((found.get(_RTA_DST, bytes(4)), length)),
        gateway=IPv4Address(gateway) if gateway else None,
        index=to_number(found.get(_RTA_OIF, b"")),
        table=to_number(found.get(_RTA_TABLE, b"")) or table,
    )
