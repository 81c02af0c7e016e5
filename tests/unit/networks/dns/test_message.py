"""Messages as bytes, read back by dnspython."""

import struct
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.networks.dns.message import (
    OWN_LIMIT,
    Code,
    Malformed,
    address_record,
    answer,
    answers_of,
    code_of,
    fit,
    is_answer_to,
    name_record,
    read_question,
    refusal,
    write_name,
)


def query(name: str, kind: str = "A", payload: int | None = None) -> bytes:
    made = dns.message.make_query(name, kind)
    if payload is not None:
        made.use_edns(0, payload=payload)
    return made.to_wire()


def test_a_question_is_read_as_it_was_asked() -> None:
    read = read_question(query("Web.Example", "AAAA"))
    assert (read.name, read.kind, read.family) == ("web.example", dns.rdatatype.AAAA, 1)
    assert read.recursion
    assert read.payload is None
    assert read.limit == 512
    assert read.raw.startswith(b"\x03Web\x07Example\x00")


@pytest.mark.parametrize(("payload", "limit"), [(100, 512), (512, 512), (1400, 1400), (65535, 65535)])
def test_edns_tells_what_a_client_takes(payload: int, limit: int) -> None:
    assert read_question(query("web", payload=payload)).limit == limit


def test_an_answer_is_one_for_its_question() -> None:
    asked = dns.message.make_query("wEb", "A")
    records = [address_record(ip_address(text)) for text in ("10.0.0.2", "10.0.0.3")]
    told = dns.message.from_wire(answer(read_question(asked.to_wire()), records))
    assert asked.is_response(told)
    assert told.rcode() == dns.rcode.NOERROR
    assert told.flags & dns.flags.RA
    assert [str(each) for each in told.answer[0]] == ["10.0.0.2", "10.0.0.3"]
    assert told.answer[0].ttl == 600
    assert told.edns == -1


def test_an_answer_to_edns_has_edns() -> None:
    told = dns.message.from_wire(answer(read_question(query("web", payload=4096)), code=Code.NAME_ERROR))
    assert (told.edns, told.payload, told.rcode()) == (0, OWN_LIMIT, dns.rcode.NXDOMAIN)


def test_records_of_every_kind() -> None:
    six = dns.message.from_wire(answer(read_question(query("web", "AAAA")), [address_record(ip_address("fd00::2"))]))
    back = dns.message.from_wire(answer(read_question(query("2.0.0.10.in-addr.arpa", "PTR")), [name_record("web.net")]))
    assert str(six.answer[0][0]) == "fd00::2"
    assert str(back.answer[0][0]) == "web.net."


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    records = [address_record(ip_address(f"10.0.0.{last}")) for last in range(100)]
    read = read_question(query("web"))
    cut = answer(read, records, limit=512)
    told = dns.message.from_wire(cut)
    assert len(cut) <= 512
    assert told.flags & dns.flags.TC
    assert len(told.answer[0]) == (512 - 12 - len(read.raw)) // 16
    whole = dns.message.from_wire(answer(read, records))
    assert len(whole.answer[0]) == 100
    assert not whole.flags & dns.flags.TC


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", None),
        (b"\0" * 11, None),
        (struct.pack("!6H", 1, 0x8000, 1, 0, 0, 0), None),
        (struct.pack("!6H", 1, 0x2000, 1, 0, 0, 0), Code.NOT_IMPLEMENTED),
        (struct.pack("!6H", 1, 0, 0, 0, 0, 0), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 2, 0, 0, 0), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 1, 0, 0), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 65535), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 0), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\x03we", Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 1) + b"\0\0\1\0\1" + b"\0\0\x29\4\0\0\0\0\0\0\x09", Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 1) + b"\0\0\1\0\1" + b"\0\0\x29\4\0\0\1\0\0\0\0", Code.BAD_VERSION),
        (struct.pack("!6H", 1, 0, 1, 0, 0, 1) + b"\0\0\1\0\1" + b"\x41", Code.FORMAT_ERROR),
    ],
)
def test_what_is_no_question_is_refused(message: bytes, code: Code | None) -> None:
    with pytest.raises(Malformed) as refused:
        read_question(message)
    assert refused.value.code == code


def test_other_records_behind_the_question_are_passed_over() -> None:
    head = struct.pack("!6H", 1, 0, 1, 0, 0, 2) + b"\x03web\0\0\1\0\1"
    other = b"\xc0\x0c" + struct.pack("!HHIH", 250, 255, 0, 3) + b"abc"
    named = b"\x03key\0" + struct.pack("!HHIH", 250, 255, 0, 0)
    options = b"\0" + struct.pack("!HHIH", 41, 900, 0, 0)
    assert read_question(head + other + options).limit == 900
    assert read_question(head + named + options).limit == 900


def test_a_refusal_needs_no_question() -> None:
    told = dns.message.from_wire(refusal(query("web"), Code.FORMAT_ERROR))
    assert told.rcode() == dns.rcode.FORMERR
    assert dns.message.from_wire(refusal(query("web"), Code.BAD_VERSION)).rcode() == dns.rcode.BADVERS


@pytest.mark.parametrize("name", ["a..b", "a" * 64, ".".join(["abcdefg"] * 32)])
def test_names_that_no_record_can_hold(name: str) -> None:
    with pytest.raises(ValueError, match="DNS"):
        write_name(name)


def test_an_answer_is_believed_only_for_its_question() -> None:
    asked = query("web")
    good = answer(read_question(asked))
    assert is_answer_to(asked, good)
    assert is_answer_to(asked, good.replace(b"web", b"WEB"))
    assert is_answer_to(asked, refusal(asked, Code.SERVER_FAILURE))
    for wrong in (asked, good[:11], b"\0\0" + good[2:], good.replace(b"web", b"wob")):
        assert wrong == good or not is_answer_to(asked, wrong)
    assert code_of(good) == Code.NO_ERROR
    assert answers_of(good) == 0
    assert answers_of(answer(read_question(asked), [address_record(ip_address("10.0.0.2"))] * 3)) == 3


def test_a_long_answer_of_another_server_is_cut_to_its_question() -> None:
    asked = query("web")
    records = [address_record(ip_address("10.0.0.2"))] * 60
    long = answer(read_question(asked), records)
    assert fit(long, asked, len(long)) == long
    told = dns.message.from_wire(fit(long, asked, 512))
    assert told.flags & dns.flags.TC
    assert (len(told.question), len(told.answer)) == (1, 0)


@given(st.binary(max_size=600))
def test_no_bytes_confuse_the_reader(message: bytes) -> None:
    try:
        read = read_question(message)
    except Malformed as refused:
        if refused.code is not None:
            assert dns.message.from_wire(refusal(message, refused.code)).answer == []
    else:
        assert len(answer(read, limit=read.limit)) <= read.limit


@given(st.binary(max_size=64), st.integers(0, 65535), st.integers(0, 3))
def test_no_tail_confuses_the_reader(tail: bytes, kind: int, extras: int) -> None:
    head = struct.pack("!6H", 7, 0x100, 1, 0, 0, extras) + b"\x03web\0" + struct.pack("!HH", kind, 1)
    try:
        read = read_question(head + tail)
    except Malformed as refused:
        assert refused.code in {Code.FORMAT_ERROR, Code.BAD_VERSION}
    else:
        assert (read.name, read.kind) == ("web", kind)


@given(st.lists(st.from_regex(r"\A[a-z0-9_-]{1,63}\Z"), min_size=1, max_size=4))
def test_names_come_back_from_the_wire(labels: list[str]) -> None:
    name = ".".join(labels)
    if len(name) > 253:
        return
    message = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + write_name(name) + b"\0\1\0\1"
    assert read_question(message).name == name
