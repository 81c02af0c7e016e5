"""The bytes of netlink: headers, attributes, requests and what the kernel answers. netlink(7)."""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PAYLOAD = 0xFFFF - 4
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_REPLACE = 0x100
NLM_F_APPEND = 0x800

_NLA_F_NESTED = 0x8000
_NLA_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class AttributeTooLong(ValueError):
    """A payload whose length does not fit the 16 bits that an attribute has for it.

    Were it cut instead, its tail would be read as further attributes: CVE-2021-43784.
    """


class MalformedMessage(ValueError):
    """Bytes that are no whole netlink message or attribute."""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of the kernel. *what* is the sentence for an error; errnos in *harmless* count as done."""

    kind: int
    body: bytes
    what: str
    flags: int = 0
    harmless: frozenset[int] = frozenset()

    def encode(self, sequence: int, *, answered: bool = True) -> bytes:
        """The message on the wire, padded so that another may follow; *answered* asks for an acknowledgement."""
        length = _HEADER.size + len(self.body)
        flags = self.flags | NLM_F_REQUEST | (NLM_F_ACK if answered else 0)
        return _HEADER.pack(length, self.kind, flags, sequence, 0) + self.body + bytes(-length % 4)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the kernel; *body* is all behind the header."""

    kind: int
    flags: int
    sequence: int
    port: int
    body: bytes


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute with its padding. Raises AttributeTooLong."""
    if len(payload) > MAX_PAYLOAD:
        raise AttributeTooLong(f"netlink attribute {kind} of {len(payload)} bytes; {MAX_PAYLOAD} is the most")
    return _ATTRIBUTE.pack(len(payload) + 4, kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | _NLA_F_NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """A string that ends with a zero byte. Raises ValueError if it holds one."""
    raw = value.encode()
    if b"\0" in raw:
        raise ValueError(f"a zero byte in netlink attribute {kind}")
    return attribute(kind, raw + b"\0")


def number(kind: int, value: int, *, size: int = 4) -> bytes:
    """An unsigned number of *size* bytes in the machine's order. Raises OverflowError."""
    return attribute(kind, value.to_bytes(size, sys.byteorder))


def to_number(payload: bytes) -> int:
    """The number that `number` wrote."""
    return int.from_bytes(payload, sys.byteorder)


def to_text(payload: bytes) -> str:
    """The string that `text` wrote; bytes that are no UTF-8 survive as surrogates."""
    return payload.partition(b"\0")[0].decode(errors="surrogateescape")


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Attribute type to payload, flags of the type taken off; of a repeated type the last stands.

    Raises MalformedMessage when a length does not fit.
    """
    found: dict[int, bytes] = {}
    at = 0
    while len(data) - at >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            raise MalformedMessage(f"netlink attribute {kind & _NLA_TYPE_MASK} of {length} bytes in {len(data) - at}")
        found[kind & _NLA_TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def parse_messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram. Raises MalformedMessage when a length does not fit."""
    at = 0
    while len(data) - at >= _HEADER.size:
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise MalformedMessage(f"netlink message of {length} bytes in {len(data) - at}")
        yield Message(kind, flags, sequence, port, data[at + _HEADER.size : at + length])
        at += (length + 3) & ~3


def split_body(message: Message, header: struct.Struct) -> tuple[tuple[int, ...], dict[int, bytes]]:
    """The fixed part of a message's body and its attributes. Raises MalformedMessage."""
    if len(message.body) < header.size:
        raise MalformedMessage(f"netlink message {message.kind} of {len(message.body)} bytes")
    return header.unpack_from(message.body), parse_attributes(message.body[header.size :])
