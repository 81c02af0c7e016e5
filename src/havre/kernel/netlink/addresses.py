"""Requests about the addresses of links, and the list. rtnetlink(7)."""

import errno
import ipaddress
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from havre.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    Request,
    attribute,
    split_body,
)
from havre.kernel.netlink.connection import Netlink

RTNLGRP_IPV4_IFADDR = 5
RTNLGRP_IPV6_IFADDR = 9
RTM_NEWADDR = 20
RTM_DELADDR = 21
_RTM_GETADDR = 22
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_BROADCAST = 4
_IFA_F_NODAD = 0x02
_ADDRESS = struct.Struct("=BBBBi")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_FAMILY = {4: 2, 6: 10}


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the link with *index*."""

    index: int
    interface: IPv4Interface | IPv6Interface


def add_address(index: int, interface: IPv4Interface | IPv6Interface, *, replace: bool = False) -> Request:
    """Give the link *index* this address; with *replace* having it already is no error."""
    packed = interface.ip.packed
    # Who hands out addresses knows that they are free: one that is still being asked for cannot be used.
    doubtless = _IFA_F_NODAD if interface.version == 6 else 0
    body = _ADDRESS.pack(_FAMILY[interface.version], interface.network.prefixlen, doubtless, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if isinstance(interface, IPv4Interface) and interface.network.prefixlen < 31:
        body += attribute(_IFA_BROADCAST, interface.network.broadcast_address.packed)
    flags = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
    return Request(RTM_NEWADDR, body, f"add address {interface} to link {index}", flags)


def delete_address(index: int, interface: IPv4Interface | IPv6Interface) -> Request:
    """Take an address from the link *index*; not having it is no error."""
    packed = interface.ip.packed
    body = _ADDRESS.pack(_FAMILY[interface.version], interface.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    harmless = frozenset((errno.EADDRNOTAVAIL, errno.ENODEV))
    return Request(RTM_DELADDR, body, f"delete address {interface} of link {index}", harmless=harmless)


def list_addresses(netlink: Netlink) -> list[Address]:
    """All addresses of the namespace."""
    request = Request(_RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), "list addresses")
    return [address for message in netlink.dump(request) if (address := parse_address(message)) is not None]


def parse_address(message: Message) -> Address | None:
    """The address that a message tells of; None for a family that is not IP. Raises MalformedMessage."""
    (family, length, _, _, index), found = split_body(message, _ADDRESS)
    raw = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS) or b""
    if family not in _FAMILY.values() or len(raw) not in (4, 16):
        return None
    ip: IPv4Address | IPv6Address = ipaddress.ip_address(raw)
    if isinstance(ip, IPv4Address):
        return Address(index, IPv4Interface((ip, length)))
    return Address(index, IPv6Interface((ip, length)))
