"""What is answered here, and what is asked elsewhere."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.message
import dns.rcode
import dns.reversename
import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.networks.dns.answers import decide, read_pointer
from havre.networks.dns.message import read_question
from havre.networks.dns.names import Member, Table, View, view_of


def view(*, forwards: bool = True, whole_names: bool = False) -> View:
    table = Table()
    table.put("web", Member(("web", "both"), (ip_address("10.0.0.2"),), "web.front"))
    table.put("db", Member(("db", "both"), (ip_address("10.0.0.3"), ip_address("fd00::3")), "db.front"))
    return view_of([table], forwards=forwards, whole_names=whole_names)


def told(name: str, kind: str, seen: View, *, ident: int = 0) -> tuple[str, list[str]] | None:
    asked = dns.message.make_query(name, kind, id=ident)
    given_back = decide(read_question(asked.to_wire()), seen)
    if given_back is None:
        return None
    read = dns.message.from_wire(given_back)
    assert asked.is_response(read)
    return dns.rcode.to_text(read.rcode()), [str(record) for rrset in read.answer for record in rrset]


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        ("web", "A", ["10.0.0.2"]),
        ("WEB.", "A", ["10.0.0.2"]),
        ("db", "AAAA", ["fd00::3"]),
        ("web", "AAAA", []),
        ("web", "MX", []),
        ("2.0.0.10.in-addr.arpa", "PTR", ["web.front."]),
        (str(dns.reversename.from_address("fd00::3")), "PTR", ["db.front."]),
    ],
)
def test_neighbours_are_answered_here(name: str, kind: str, records: list[str]) -> None:
    assert told(name, kind, view()) == ("NOERROR", records)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("other", "A"), ("web.test", "AAAA"), ("web", "TXT"), ("9.9.9.9.in-addr.arpa", "PTR"), ("x", "PTR")],
)
def test_the_rest_is_asked_elsewhere_or_fails(name: str, kind: str) -> None:
    assert told(name, kind, view()) is None
    assert told(name, kind, view(forwards=False)) == ("SERVFAIL", [])


def test_addresses_rotate() -> None:
    assert [told("both", "A", view(), ident=turn) for turn in range(3)] == [
        ("NOERROR", ["10.0.0.2", "10.0.0.3"]),
        ("NOERROR", ["10.0.0.3", "10.0.0.2"]),
        ("NOERROR", ["10.0.0.2", "10.0.0.3"]),
    ]


def test_one_label_stays_here_where_the_client_completes_names() -> None:
    assert told("other", "A", view(whole_names=True)) == ("NOERROR", [])
    assert told("other", "TXT", view(whole_names=True)) is None
    assert told("other.test", "A", view(whole_names=True)) is None


def test_other_classes_are_none_of_ours() -> None:
    asked = dns.message.make_query("web", "A", rdclass="CH")
    assert decide(read_question(asked.to_wire()), view()) is None


@given(st.ip_addresses())
def test_reverse_names_are_read_back(address: IPv4Address | IPv6Address) -> None:
    assert read_pointer(address.reverse_pointer) == address


@pytest.mark.parametrize(
    "name", ["1.2.3.in-addr.arpa", "a.2.3.4.in-addr.arpa", "1.2.ip6.arpa", ("1" * 32) + ".ip6.arpa", "web"]
)
def test_what_is_no_reverse_name(name: str) -> None:
    assert read_pointer(name) is None
