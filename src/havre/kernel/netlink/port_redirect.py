"""One small nftables table, written without libnftables: what goes to a port of one address arrives at another port.

The port is written over in the question and back in the answer, packet by packet: no connection is tracked for it,
which would cost all that the namespace sends and receives. Netfilter's own work in the namespace sees what it would see
without the table: the question before, the answer after it was rewritten.

libnftables waits by select(2), which ends a process whose descriptors are past 1,023: it must not be used for what is
done once a container. The messages are those of linux/netfilter/nf_tables.h.
"""

import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from havre.kernel.netlink.codec import NLM_F_APPEND, NLM_F_CREATE, Request, attribute, nested, text
from havre.kernel.netlink.connection import Netlink

_SUBSYSTEM = 10 << 8
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GENERIC = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_LOCAL_OUT = 3
_BEFORE_TRACKING, _AFTER_TRACKING = -300, -100
_ACCEPT = 1
_L4PROTO = 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_FROM_PORT, _TO_PORT = 0, 2  # where they stand in the header of TCP and of UDP
_FROM_ADDRESS, _TO_ADDRESS = 12, 16
_CHECKSUMS = {socket.IPPROTO_TCP: 16, socket.IPPROTO_UDP: 6}
_INTERNET_CHECKSUM = 1
_REGISTER = 1


@dataclass(frozen=True, slots=True)
class Redirect:
    """What this namespace sends to *port* of *address*, which is its own, arrives at another port of it.

    *targets* are these by protocol number, TCP's or UDP's.
    """

    table: str
    address: IPv4Address
    port: int
    targets: Mapping[int, int]


def install(netlink: Netlink, wanted: Redirect) -> None:
    """Make the table, in place of one with its name, in the namespace of *netlink*, a socket of nfnetlink.

    Closing that socket takes the kernel milliseconds. Raises KernelError.
    """
    name = text(1, wanted.table)
    requests = [
        _request(_NEW_TABLE, name, wanted),
        _request(_DELETE_TABLE, name, wanted),  # adding first makes the removal of an absent one no error
        _request(_NEW_TABLE, name, wanted),
        *_chain("asking", _AFTER_TRACKING, [_asking(wanted, *each) for each in wanted.targets.items()], wanted),
        *_chain("answering", _BEFORE_TRACKING, [_answering(wanted, *each) for each in wanted.targets.items()], wanted),
    ]
    netlink.transact(_edge(_BATCH_BEGIN), requests, _edge(_BATCH_END))


def _chain(title: str, priority: int, rules: Iterable[bytes], wanted: Redirect) -> Iterator[Request]:
    table = text(1, wanted.table)
    hook = nested(4, _number(1, _LOCAL_OUT), _number(2, priority))
    yield _request(_NEW_CHAIN, table + text(3, title) + hook + _number(5, _ACCEPT) + text(7, "filter"), wanted)
    for rule in rules:
        yield _request(_NEW_RULE, table + text(2, title) + rule, wanted)


def _asking(wanted: Redirect, protocol: int, target: int) -> bytes:
    return _rewriting(protocol, (_TO_ADDRESS, wanted.address.packed), _TO_PORT, (wanted.port, target))


def _answering(wanted: Redirect, protocol: int, target: int) -> bytes:
    return _rewriting(protocol, (_FROM_ADDRESS, wanted.address.packed), _FROM_PORT, (target, wanted.port))


def _rewriting(protocol: int, address: tuple[int, bytes], place: int, ports: tuple[int, int]) -> bytes:
    """Where an *address* is at its offset and the first of *ports* at its *place*, the other port goes there."""
    offset, raw = address
    old, new = (each.to_bytes(2, "big") for each in ports)
    return nested(
        4,
        _expression("meta", _number(1, _REGISTER), _number(2, _L4PROTO)),
        _equals(bytes([protocol])),
        _loaded(_NETWORK_HEADER, offset, 4),
        _equals(raw),
        _loaded(_TRANSPORT_HEADER, place, 2),
        _equals(old),
        _expression("immediate", _number(1, _REGISTER), nested(2, attribute(1, new))),
        _written(place, 2, _CHECKSUMS[protocol]),
    )


def _loaded(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", _number(1, _REGISTER), _number(2, base), _number(3, offset), _number(4, length))


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _number(1, _REGISTER), _number(2, 0), nested(3, attribute(1, value)))


def _written(offset: int, length: int, checksum: int) -> bytes:
    """The register goes into the transport header, whose checksum is kept right."""
    place = _number(2, _TRANSPORT_HEADER) + _number(3, offset) + _number(4, length)
    kept = _number(6, _INTERNET_CHECKSUM) + _number(7, checksum)
    return _expression("payload", _number(5, _REGISTER), place, kept)


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
