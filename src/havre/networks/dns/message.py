"""DNS messages as bytes: one question read, one answer written. RFC 1035, section 4; RFC 6891 for EDNS.

Answers of other servers are passed on as they are, so nothing here reads records besides the question and EDNS.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

A, PTR, MX, AAAA, OPT = 1, 12, 15, 28, 41
INTERNET = 1

HEADER_SIZE: Final = 12
PLAIN_LIMIT: Final = 512
"""The longest answer in a datagram for a client that does not tell what it takes."""

OWN_LIMIT: Final = 1232
"""What we say that we take in a datagram: it passes every link unfragmented."""

TTL_S: Final = 600
"""How long an answer about a neighbour may be kept, as Docker says it."""

_HEADER: Final = struct.Struct("!6H")
_FIXED: Final = struct.Struct("!HHIH")
_RESPONSE, _TRUNCATED, _RECURSE, _CAN_RECURSE = 0x8000, 0x0200, 0x0100, 0x0080
_OPCODE: Final = 0x7800
_TO_QUESTION: Final = b"\xc0\x0c"
_NAME_LIMIT: Final = 255
_RECORDS_LIMIT: Final = 16


class Code(IntEnum):
    """What an answer says of itself: RCODE; from 16 on it needs EDNS."""

    NO_ERROR = 0
    FORMAT_ERROR = 1
    SERVER_FAILURE = 2
    NAME_ERROR = 3
    NOT_IMPLEMENTED = 4
    REFUSED = 5
    BAD_VERSION = 16


class Malformed(Exception):
    """A message that cannot be understood; *code* is what its sender shall hear, nothing if None."""

    def __init__(self, code: Code | None) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Question:
    """One question. *name* is in lower case, without the last dot; *raw* is the section as it came.

    *payload* is what the client takes in a datagram, in octets, or None where it speaks no EDNS.
    """

    id: int
    recursion: bool
    name: str
    kind: int
    family: int
    raw: bytes
    payload: int | None = None

    @property
    def limit(self) -> int:
        """The longest answer that the client takes in a datagram."""
        return PLAIN_LIMIT if self.payload is None else max(PLAIN_LIMIT, self.payload)


def read_question(message: bytes) -> Question:
    """The question of a standard query. Raises Malformed."""
    if len(message) < HEADER_SIZE:
        raise Malformed(None)
    ident, flags, questions, answers, authorities, extras = _HEADER.unpack_from(message)
    if flags & _RESPONSE:
        raise Malformed(None)  # answering answers is how two servers talk for ever
    if flags & _OPCODE:
        raise Malformed(Code.NOT_IMPLEMENTED)
    if questions != 1 or answers or authorities or extras > _RECORDS_LIMIT:
        raise Malformed(Code.FORMAT_ERROR)
    try:
        name, end = _read_name(message, HEADER_SIZE)
        kind, family = struct.unpack_from("!HH", message, end)
        payload = _read_payload(message, end + 4, extras)
    except (IndexError, struct.error):
        raise Malformed(Code.FORMAT_ERROR) from None
    raw = message[HEADER_SIZE : end + 4]
    return Question(ident, bool(flags & _RECURSE), name, kind, family, raw, payload)


def answer(
    question: Question, records: Sequence[bytes] = (), *, code: Code = Code.NO_ERROR, limit: int = 65535
) -> bytes:
    """The answer with as many *records* as *limit* octets hold; a cut one says so (TC)."""
    extra = _own_options(code) if question.payload is not None else b""
    room = limit - HEADER_SIZE - len(question.raw) - len(extra)
    kept = b"".join(records)
    count = len(records)
    while len(kept) > room:
        count -= 1
        kept = b"".join(records[:count])
    flags = _RESPONSE | _CAN_RECURSE | (code & 15)
    flags |= _RECURSE if question.recursion else 0
    flags |= _TRUNCATED if count < len(records) else 0
    return _HEADER.pack(question.id, flags, 1, count, 0, 1 if extra else 0) + question.raw + kept + extra


def refusal(message: bytes, code: Code) -> bytes:
    """The answer to a *message* of which no more than its header was understood."""
    ident, flags = struct.unpack_from("!HH", message)
    kept = flags & (_OPCODE | _RECURSE)
    extra = _own_options(code) if code > 15 else b""
    return _HEADER.pack(ident, _RESPONSE | _CAN_RECURSE | kept | (code & 15), 0, 0, 0, 1 if extra else 0) + extra


def address_record(address: IPv4Address | IPv6Address) -> bytes:
    """A record with *address* for the name that was asked."""
    data = address.packed
    return _TO_QUESTION + _FIXED.pack(A if address.version == 4 else AAAA, INTERNET, TTL_S, len(data)) + data


def name_record(name: str) -> bytes:
    """A PTR record that leads to *name*, which must be made of labels that fit."""
    data = write_name(name)
    return _TO_QUESTION + _FIXED.pack(PTR, INTERNET, TTL_S, len(data)) + data


def write_name(name: str) -> bytes:
    """*name* as labels. Raises ValueError for an empty label, one over 63 octets, a name over 255."""
    written = bytearray()
    for label in name.rstrip(".").split("."):
        octets = label.encode("ascii")
        if not 1 <= len(octets) <= 63:
            raise ValueError(f"no DNS label: {label[:64]!r}")
        written.append(len(octets))
        written += octets
    written.append(0)
    if len(written) > _NAME_LIMIT:
        raise ValueError(f"longer than a DNS name may be: {name[:64]!r}")
    return bytes(written)


def is_answer_to(query: bytes, reply: bytes) -> bool:
    """Whether *reply* can be what another server says to *query*: same id, same question, whatever the case."""
    if len(reply) < HEADER_SIZE or reply[:2] != query[:2] or not reply[2] & 0x80:
        return False
    end = _question_end(query)
    return len(reply) == HEADER_SIZE or reply[HEADER_SIZE:end].lower() == query[HEADER_SIZE:end].lower()


def code_of(reply: bytes) -> int:
    """The RCODE of a reply that is long enough to have one."""
    return reply[3] & 15


def answers_of(reply: bytes) -> int:
    """How many records the answer holds."""
    return int.from_bytes(reply[6:8], "big")


def fit(reply: bytes, query: bytes, limit: int) -> bytes:
    """*reply* if a datagram for this client holds it; else its header and question, marked as cut."""
    if len(reply) <= limit:
        return reply
    flags = struct.unpack_from("!H", reply, 2)[0] | _TRUNCATED
    question = query[HEADER_SIZE : _question_end(query)]
    return reply[:2] + struct.pack("!5H", flags, 1, 0, 0, 0) + question


def _question_end(query: bytes) -> int:
    """Where the section of a question ends that `read_question` has understood."""
    at = HEADER_SIZE
    while query[at]:
        at += query[at] + 1
    return at + 5


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    """A name that refers to no other place, and where it ends. In a question nothing stands before it."""
    labels: list[str] = []
    start = at
    while length := message[at]:
        if length > 63 or at + length + 2 - start > _NAME_LIMIT:
            raise IndexError
        label = message[at + 1 : at + 1 + length]
        labels.append(label.lower().decode("latin-1"))
        at += length + 1
    return ".".join(labels), at + 1


def _read_payload(message: bytes, at: int, extras: int) -> int | None:
    """What EDNS says that the client takes. Raises Malformed for a version that we do not speak."""
    payload = None
    for _ in range(extras):
        while length := message[at]:
            if length > 63:
                at += 1  # the second octet of a reference ends the name
                break
            at += length + 1
        kind, size, options, data = _FIXED.unpack_from(message, at + 1)
        at += 1 + _FIXED.size + data
        if kind == OPT:
            if (options >> 16) & 0xFF:
                raise Malformed(Code.BAD_VERSION)
            payload = size
    if at > len(message):
        raise IndexError
    return payload


def _own_options(code: Code) -> bytes:
    """Our OPT record; the upper bits of the code stand in it."""
    return b"\0" + _FIXED.pack(OPT, OWN_LIMIT, (code >> 4) << 24, 0)
