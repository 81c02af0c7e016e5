"""Requests about network links: bridges, veth pairs, their settings, and the list. rtnetlink(7)."""

import errno
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address

from havre.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    MalformedMessage,
    Message,
    Request,
    attribute,
    nested,
    number,
    parse_attributes,
    split_body,
    text,
    to_number,
    to_text,
)
from havre.kernel.netlink.connection import Netlink

RTNLGRP_LINK = 1
RTM_NEWLINK = 16
RTM_DELLINK = 17
_RTM_GETLINK = 18
_RTM_SETLINK = 19
_NAME_MAX = 15

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_MASTER = 10
_IFLA_LINKINFO = 18
_IFLA_IFALIAS = 20
_IFLA_AF_SPEC = 26
_IFLA_NET_NS_FD = 28
_IFLA_EXT_MASK = 29
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_IFLA_INFO_SLAVE_KIND = 4
_IFLA_INFO_SLAVE_DATA = 5
_VETH_INFO_PEER = 1
_IFLA_INET6_ADDR_GEN_MODE = 8
_IFLA_INET_CONF = 1
_ARP_NOTIFY = 22  # IPV4_DEVCONF_ARP_NOTIFY of linux/ip.h
_ADDR_GEN_NONE = 1
_IFLA_BRPORT_STATE = 1
_IFLA_BRPORT_MODE = 4
_IFLA_BRPORT_ISOLATED = 33
_MODE = 1  # IFLA_MACVLAN_MODE and IFLA_IPVLAN_MODE
_MODE_SIZE = {"macvlan": 4, "ipvlan": 2}
_FORWARDING = 3
_EXT_SKIP_STATS = 1 << 3
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change


class LinkFlag(IntFlag):
    """netdevice(7), those of the IFF_ flags that are used here."""

    UP = 0x1
    BROADCAST = 0x2
    LOOPBACK = 0x8
    RUNNING = 0x40


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the kernel lists it. *master* is an index, 0 for none; *forwarding* is told of bridge ports."""

    index: int
    name: str
    kind: str
    alias: str
    master: int
    mtu: int
    mac: str
    flags: LinkFlag
    forwarding: bool = False

    @property
    def up(self) -> bool:
        """Whether the link was set up by an administrator."""
        return LinkFlag.UP in self.flags


@dataclass(frozen=True, slots=True)
class VethPair:
    """A cable: *name* here, *peer_name* with *peer_mac* and *peer_index* in the namespace that *peer_netns* holds."""

    name: str
    peer_name: str
    peer_netns: int
    peer_index: int
    peer_mac: str
    mtu: int = 0


@dataclass(frozen=True, slots=True)
class SubLink:
    """A macvlan or ipvlan (*kind*) on the link with index *parent*, born in the namespace that *netns_fd* holds.

    *mode* is the kernel's number for the kind; an *index* of 0 leaves the link's number to the kernel.
    """

    kind: str
    name: str
    netns_fd: int
    parent: int
    mode: int
    index: int = 0
    mac: str = ""
    mtu: int = 0


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What shall be different about a link; None leaves a thing as it is. *master* 0 takes it off its bridge.

    With *arp_notify* it tells its neighbours from then on when it goes up or is given its MAC address once more.
    """

    name: str | None = None
    alias: str | None = None
    mac: str | None = None
    mtu: int | None = None
    master: int | None = None
    up: bool | None = None
    without_ipv6_address: bool = False
    arp_notify: bool = False


def add_bridge(name: str, *, mac: str = "") -> Request:
    """Make a bridge, without the spanning tree protocol, down."""
    body = _link() + _name(name) + nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "bridge"))
    if mac:
        body += attribute(_IFLA_ADDRESS, mac_bytes(mac))
    return Request(RTM_NEWLINK, body, f"add bridge {name}", NLM_F_CREATE | NLM_F_EXCL)


def add_veth(pair: VethPair) -> Request:
    """Make both ends of *pair*, down; the peer is born in its namespace, it never shows in this one."""
    peer = (
        _link(pair.peer_index)
        + _name(pair.peer_name)
        + number(_IFLA_NET_NS_FD, pair.peer_netns)
        + attribute(_IFLA_ADDRESS, mac_bytes(pair.peer_mac))
        + _mtu(pair.mtu)
    )
    body = (
        _link()
        + _name(pair.name)
        + _mtu(pair.mtu)
        + nested(
            _IFLA_LINKINFO,
            text(_IFLA_INFO_KIND, "veth"),
            nested(_IFLA_INFO_DATA, nested(_VETH_INFO_PEER, peer)),
        )
    )
    what = f"add veth {pair.name} with peer {pair.peer_name}"
    return Request(RTM_NEWLINK, body, what, NLM_F_CREATE | NLM_F_EXCL)


def add_sublink(sub: SubLink) -> Request:
    """Make *sub*, down; it never shows in this namespace."""
    size = _MODE_SIZE[sub.kind]
    settings = nested(_IFLA_INFO_DATA, number(_MODE, sub.mode, size=size))
    body = (
        _link(sub.index)
        + _name(sub.name)
        + number(_IFLA_LINK, sub.parent)
        + number(_IFLA_NET_NS_FD, sub.netns_fd)
        + _mtu(sub.mtu)
        + (attribute(_IFLA_ADDRESS, mac_bytes(sub.mac)) if sub.mac else b"")
        + nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, sub.kind), settings)
    )
    return Request(RTM_NEWLINK, body, f"add {sub.kind} {sub.name} on link {sub.parent}", NLM_F_CREATE | NLM_F_EXCL)


def add_sink(name: str, kind: str) -> Request:
    """Make a link of a *kind* that takes no settings and leads nowhere (dummy, ifb), down."""
    body = _link() + _name(name) + nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, kind))
    return Request(RTM_NEWLINK, body, f"add {kind} {name}", NLM_F_CREATE | NLM_F_EXCL)


def change_link(link: int | str, change: LinkChange) -> Request:
    """Change the link with this index or name; a new name can be given to an index only."""
    if change.name is not None and isinstance(link, str):
        raise ValueError(f"link {link} must be named by its index to become {change.name}")
    wanted = [
        _name(change.name) if change.name is not None else b"",
        text(_IFLA_IFALIAS, change.alias) if change.alias is not None else b"",
        attribute(_IFLA_ADDRESS, mac_bytes(change.mac)) if change.mac is not None else b"",
        number(_IFLA_MTU, change.mtu) if change.mtu is not None else b"",
        number(_IFLA_MASTER, change.master) if change.master is not None else b"",
    ]
    if change.without_ipv6_address:
        mode = number(_IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_NONE, size=1)
        wanted.append(nested(_IFLA_AF_SPEC, nested(socket.AF_INET6, mode)))
    if change.arp_notify:
        setting = nested(_IFLA_INET_CONF, number(_ARP_NOTIFY, 1))
        wanted.append(nested(_IFLA_AF_SPEC, nested(socket.AF_INET, setting)))
    flags, mask = (0, 0) if change.up is None else (LinkFlag.UP if change.up else 0, LinkFlag.UP)
    body = _chosen(link, flags, mask) + b"".join(wanted)
    return Request(_RTM_SETLINK, body, f"change link {link}")


def isolate_port(name: str) -> Request:
    """Let this port of a bridge talk to the bridge itself and to no other isolated port."""
    return _set_port(name, _IFLA_BRPORT_ISOLATED, f"isolate bridge port {name}")


def reflect_port(name: str) -> Request:
    """Let a frame leave by the port it came from (hairpin mode)."""
    return _set_port(name, _IFLA_BRPORT_MODE, f"reflect bridge port {name}")


def _set_port(name: str, setting: int, what: str) -> Request:
    settings = nested(_IFLA_INFO_SLAVE_DATA, number(setting, 1, size=1))
    about = nested(_IFLA_LINKINFO, text(_IFLA_INFO_SLAVE_KIND, "bridge"), settings)
    return Request(RTM_NEWLINK, _link() + _name(name) + about, what)


def stop_link(link: int | str) -> Request:
    """Set a link down: from now on no frame passes either way. One that is gone is no error."""
    body = _chosen(link, 0, LinkFlag.UP)
    return Request(_RTM_SETLINK, body, f"stop link {link}", harmless=frozenset((errno.ENODEV,)))


def delete_link(link: int | str) -> Request:
    """Remove a link, of a veth pair both ends. One that is gone already is no error."""
    return Request(RTM_DELLINK, _chosen(link), f"delete link {link}", harmless=frozenset((errno.ENODEV,)))


def find_link(netlink: Netlink, name: str) -> Link | None:
    """The link *name*, its state as fresh as the kernel can tell; None if there is none."""
    body = _link() + _name(name) + number(_IFLA_EXT_MASK, _EXT_SKIP_STATS)
    request = Request(_RTM_GETLINK, body, f"look for link {name}", harmless=frozenset((errno.ENODEV,)))
    message = netlink.ask(request)
    return None if message is None else parse_link(message)


def list_links(netlink: Netlink) -> list[Link]:
    """All links of the namespace."""
    request = Request(_RTM_GETLINK, _link() + number(_IFLA_EXT_MASK, _EXT_SKIP_STATS), "list links")
    return [parse_link(message) for message in netlink.dump(request)]


def parse_link(message: Message) -> Link:
    """The link that a message of kind RTM_NEWLINK or RTM_DELLINK tells of. Raises MalformedMessage."""
    (_, _, index, flags, _), found = split_body(message, _LINK)
    about = parse_attributes(found.get(_IFLA_LINKINFO, b""))
    port = parse_attributes(about.get(_IFLA_INFO_SLAVE_DATA, b""))
    return Link(
        index=index,
        name=to_text(found.get(_IFLA_IFNAME, b"")),
        kind=to_text(about.get(_IFLA_INFO_KIND, b"")),
        alias=to_text(found.get(_IFLA_IFALIAS, b"")),
        master=to_number(found.get(_IFLA_MASTER, b"")),
        mtu=to_number(found.get(_IFLA_MTU, b"")),
        mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
        flags=LinkFlag(flags & sum(LinkFlag)),
        forwarding=to_number(port.get(_IFLA_BRPORT_STATE, b"")) == _FORWARDING,
    )


def link_index(message: Message) -> int:
    """Only the index, for a listener that cares for few links. Raises MalformedMessage."""
    if len(message.body) < _LINK.size:
        raise MalformedMessage(f"link message of {len(message.body)} bytes")
    index: int = _LINK.unpack_from(message.body)[2]
    return index


def mac_bytes(mac: str) -> bytes:
    """The six bytes of `02:42:ac:11:00:02`. Raises ValueError."""
    raw = bytes.fromhex(mac.replace(":", ""))
    if len(raw) != 6 or mac.count(":") != 5:
        raise ValueError(f"not a MAC address: {mac!r}")
    return raw


def random_mac() -> str:
    """A unicast, locally administered address."""
    raw = os.urandom(6)
    return bytes((raw[0] & 0xFC | 0x02, *raw[1:])).hex(":")


def mac_of(address: IPv4Address) -> str:
    """The unicast, locally administered address that Docker has always made of an IPv4 address: 02:42, then that."""
    return (b"\x02\x42" + address.packed).hex(":")


def _link(index: int = 0, flags: int = 0, mask: int = 0, family: int = socket.AF_UNSPEC) -> bytes:
    return _LINK.pack(family, 0, index, flags, mask)


def _chosen(link: int | str, flags: int = 0, mask: int = 0, family: int = socket.AF_UNSPEC) -> bytes:
    if isinstance(link, int):
        return _link(link, flags, mask, family)
    return _link(0, flags, mask, family) + _name(link)


def _name(name: str) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) <= _NAME_MAX or name in {".", ".."} or not _clean(raw):
        raise ValueError(f"not a link name: {name!r}")
    return text(_IFLA_IFNAME, name)


def _clean(raw: Iterable[int]) -> bool:
    return all(byte > 0x20 and byte not in b"/:" for byte in raw)


def _mtu(mtu: int) -> bytes:
    return number(_IFLA_MTU, mtu) if mtu else b""
