"""What is answered to a question, as Docker's embedded server does it; what is None must be asked elsewhere."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from havre.networks.dns.message import (
    AAAA,
    INTERNET,
    MX,
    PTR,
    A,
    Code,
    Question,
    address_record,
    answer,
    name_record,
)
from havre.networks.dns.names import Address, View

_VERSIONS: Final = {A: 4, AAAA: 6}
_V4_TREE, _V6_TREE = ".in-addr.arpa", ".ip6.arpa"


def decide(question: Question, view: View, *, limit: int = 65535) -> bytes | None:
    """The answer that *view* gives, of *limit* octets at most, or None: another server has to be asked.

    A known name without an address of the kind is answered with no record (NODATA), never asked elsewhere: the
    client would be told that it does not exist. Which of several addresses comes first goes by the question's id,
    which clients draw anew each time.
    """
    if question.family == INTERNET:
        records = _records(question, view)
        if records is not None:
            return answer(question, records, limit=limit)
    if not view.forwards:
        return answer(question, code=Code.SERVER_FAILURE)
    if view.whole_names and "." not in question.name and question.kind in _VERSIONS:
        return answer(question)
    return None


def _records(question: Question, view: View) -> list[bytes] | None:
    if question.kind == PTR:
        address = read_pointer(question.name)
        name = view.find_pointer(address) if address is not None else None
        return [name_record(name)] if name is not None else None
    if question.kind not in _VERSIONS and question.kind != MX:
        return None
    found = view.find(question.name)
    if found is None:
        return None
    fitting = [each for each in found if each.version == _VERSIONS.get(question.kind)]
    return [address_record(each) for each in _rotated(fitting, question.id)]


def _rotated(addresses: list[Address], turn: int) -> list[Address]:
    first = turn % max(1, len(addresses))
    return addresses[first:] + addresses[:first]


def read_pointer(name: str) -> Address | None:
    """The address that a name of the reverse trees stands for: RFC 1035, section 3.5; RFC 3596, section 2.5."""
    if name.endswith(_V4_TREE):
        return _read_v4(name.removesuffix(_V4_TREE).split("."))
    if name.endswith(_V6_TREE):
        return _read_v6(name.removesuffix(_V6_TREE).split("."))
    return None


def _read_v4(labels: list[str]) -> IPv4Address | None:
    try:
        return IPv4Address(".".join(reversed(labels)))
    except ValueError:
        return None


def _read_v6(labels: list[str]) -> IPv6Address | None:
    digits = "".join(reversed(labels))
    if len(labels) != 32 or len(digits) != 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    return IPv6Address(int(digits, 16))
