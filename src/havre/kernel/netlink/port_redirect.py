"""One small nftables table, written without libnftables: connections to a port of one address go to another port.

libnftables waits by select(2), which ends a process whose descriptors are past 1,023: it must not be used for what is
done once a container. The messages are those of linux/netfilter/nf_tables.h.
"""

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from havre.kernel.netlink.codec import NLM_F_APPEND, NLM_F_CREATE, Request, attribute, nested, text
from havre.kernel.netlink.connection import Netlink

_SUBSYSTEM = 10 << 8
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GENERIC = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_LOCAL_OUT = 3
_TO_PORT = -100
_ACCEPT = 1
_L4PROTO = 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_DNAT = 1
_FIRST, _SECOND = 1, 2  # registers


@dataclass(frozen=True, slots=True)
class Redirect:
    """What this namespace sends to *port* of *address* arrives at another port: *targets* by protocol number."""

    table: str
    address: IPv4Address
    port: int
    targets: Mapping[int, int]


def install(netlink: Netlink, wanted: Redirect) -> None:
    """Make the table, in place of one with its name, in the namespace of *netlink*, a socket of nfnetlink.

    Closing that socket takes the kernel milliseconds. Raises KernelError.
    """
    name = text(1, wanted.table)
    hook = nested(4, _number(1, _LOCAL_OUT), _number(2, _TO_PORT))
    chain = name + text(3, "asking") + hook + _number(5, _ACCEPT) + text(7, "nat")
    requests = [
        _request(_NEW_TABLE, name, wanted),
        _request(_DELETE_TABLE, name, wanted),  # adding first makes the removal of an absent one no error
        _request(_NEW_TABLE, name, wanted),
        _request(_NEW_CHAIN, chain, wanted),
    ]
    for protocol, target in wanted.targets.items():
        requests.append(_request(_NEW_RULE, name + text(2, "asking") + _rule(wanted, protocol, target), wanted))
    netlink.transact(_edge(_BATCH_BEGIN), requests, _edge(_BATCH_END))


def _rule(wanted: Redirect, protocol: int, target: int) -> bytes:
    return nested(
        4,
        _expression("meta", _number(1, _FIRST), _number(2, _L4PROTO)),
        _equals(bytes([protocol])),
        _loaded(_NETWORK_HEADER, 16, 4),
        _equals(wanted.address.packed),
        _loaded(_TRANSPORT_HEADER, 2, 2),
        _equals(wanted.port.to_bytes(2, "big")),
        _given(_FIRST, wanted.address.packed),
        _given(_SECOND, target.to_bytes(2, "big")),
        _expression("nat", _number(1, _DNAT), _number(2, socket.AF_INET), _number(3, _FIRST), _number(5, _SECOND)),
    )


def _loaded(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", _number(1, _FIRST), _number(2, base), _number(3, offset), _number(4, length))


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _number(1, _FIRST), _number(2, 0), nested(3, attribute(1, value)))


def _given(register: int, value: bytes) -> bytes:
    return _expression("immediate", _number(1, register), nested(2, attribute(1, value)))


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


def _number(kind: int, value: int) -> bytes:
    """A number of four bytes, the first one the highest, as everything in nf_tables."""
    return attribute(kind, (value & 0xFFFFFFFF).to_bytes(4, "big"))


def _request(what: int, attributes: bytes, wanted: Redirect) -> Request:
    body = _GENERIC.pack(socket.AF_INET, 0, 0) + attributes
    flags = {_DELETE_TABLE: 0, _NEW_RULE: NLM_F_CREATE | NLM_F_APPEND}.get(what, NLM_F_CREATE)
    return Request(_SUBSYSTEM | what, body, f"lead port {wanted.port} of {wanted.address} elsewhere", flags)


def _edge(what: int) -> Request:
    return Request(what, _GENERIC.pack(socket.AF_UNSPEC, 0, _SUBSYSTEM >> 8), "begin or end a batch")
