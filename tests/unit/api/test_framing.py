"""A-01: what two programs could read in two ways is refused, and the connection ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.api.framing import FIELDS_LIMIT_BYTES, TARGET_LIMIT_BYTES, ChunkDecoder, HeadReader, LengthDecoder
from havre.api.status import HeadersTooLarge, MalformedRequest, TargetTooLong
from tests.fakes.routes import Probe
from tests.fakes.served import Served, Talk

Serve = Callable[..., Served]
Connect = Callable[[Served], Talk]
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two different lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "empty length": POST + b"Content-Length:\r\n\r\nabc",
    "length with underscore": POST + b"Content-Length: 1_0\r\n\r\nabc",
    "length beyond all files": POST + b"Content-Length: 1234567890123456\r\n\r\nabc",
    "length over 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "both framings": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, the other way": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding that is none": POST + b"Transfer-Encoding: identity\r\n\r\nabc",
    "coding like chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded field": POST + b"A: a\r\n b\r\n\r\n",
    "folded first field": b"GET /quick HTTP/1.1\r\n Host: x\r\n\r\n",
    "space before the colon": POST + b"A : a\r\n\r\n",
    "no colon": POST + b"A\r\n\r\n",
    "empty name": POST + b": a\r\n\r\n",
    "NUL in a field": POST + b"A: a\0b\r\n\r\n",
    "bare CR in a field": POST + b"A: a\rb\r\n\r\n",
    "bare LF in a field": POST + b"A: a\nb: c\r\n\r\n",
    "bare LF everywhere": b"GET /quick HTTP/1.1\nHost: x\n\n",
    "bare LF after the head": b"GET /quick HTTP/1.1\r\nHost: x\r\n\n",
    "no host": b"GET /quick HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /quick HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /quick\r\n\r\n",
    "HTTP/1.2": b"GET /quick HTTP/1.2\r\nHost: x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "unknown method": b"BREW /quick HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET quick HTTP/1.1\r\nHost: x\r\n\r\n",
    "tunnel": b"CONNECT host:1 HTTP/1.1\r\nHost: x\r\n\r\n",
}
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD_CHUNKS = {
    "extension": b"3;a=b\r\nabc\r\n0\r\n\r\n",
    "space": b"3 \r\nabc\r\n0\r\n\r\n",
    "prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "sign": b"-3\r\nabc\r\n0\r\n\r\n",
    "underscore": b"1_0\r\nabc\r\n0\r\n\r\n",
    "empty": b"\r\nabc\r\n0\r\n\r\n",
    "too long": b"0000000000000003\r\nabc\r\n0\r\n\r\n",
    "endless size": b"3" * 100,
    "bare LF": b"3\nabc\n0\n\n",
    "longer than told": b"3\r\nabcd\r\n0\r\n\r\n",
    "trailer": b"3\r\nabc\r\n0\r\nA: b\r\n\r\n",
    "bare LF at the end": b"3\r\nabc\r\n0\r\n\n",
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED.keys())
def test_odd_heads_are_refused_and_the_connection_ends(serve: Serve, talk: Connect, sent: bytes) -> None:
    client = talk(serve(Probe().routes()))
    client.send(sent + b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = client.answer()
    assert answer.status == 400
    assert answer.body.startswith(b'{"message":')
    assert answer.headers["connection"] == "close"
    assert client.closed()


@pytest.mark.parametrize("sent", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_odd_chunks_are_refused_and_the_connection_ends(serve: Serve, talk: Connect, sent: bytes) -> None:
    client = talk(serve(Probe().routes()))
    client.send(CHUNKED + sent)
    assert client.answer().status == 400
    assert client.closed()


@pytest.mark.parametrize("host", [b"docker", b"api.moby.localhost", b"evil.example:1", b"", b"%2Fvar%2Frun"])
def test_any_host_is_accepted(serve: Serve, talk: Connect, host: bytes) -> None:
    client = talk(serve(Probe().routes()))
    client.send(b"GET /quick HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert client.answer().status == 200


def test_a_request_line_of_a_megabyte_is_read(serve: Serve, talk: Connect) -> None:
    """Build arguments travel in the query."""
    client = talk(serve(Probe().routes()))
    client.request("GET", "/quick?" + "x" * (TARGET_LIMIT_BYTES - 100))
    assert client.answer().status == 200


def test_header_fields_of_a_megabyte_are_read(serve: Serve, talk: Connect) -> None:
    """X-Registry-Config."""
    client = talk(serve(Probe().routes()))
    client.request("GET", "/quick", X_Registry_Config="x" * (FIELDS_LIMIT_BYTES - 100))
    assert client.answer().status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /quick?" + b"x" * (TARGET_LIMIT_BYTES + 100), 414),
        (b"GET /quick HTTP/1.1\r\nHost: x\r\nA: " + b"x" * (FIELDS_LIMIT_BYTES + 100), 431),
        (b"GET /quick HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
        (b"\r\n" * ((TARGET_LIMIT_BYTES + FIELDS_LIMIT_BYTES) // 2 + 100), 431),
    ],
    ids=["target", "field", "count", "empty lines"],
)
def test_beyond_the_limits_the_request_is_refused(serve: Serve, talk: Connect, sent: bytes, status: int) -> None:
    client = talk(serve(Probe().routes()))
    client.send(sent)
    assert client.answer().status == status
    assert client.closed()


def test_empty_lines_before_a_request_are_passed_over() -> None:
    reader = HeadReader()
    head = reader.feed(b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest")
    assert head is not None
    assert (head.method, head.target, reader.rest) == ("GET", b"/", b"rest")


@given(st.lists(st.integers(1, 60), max_size=12))
def test_a_head_may_come_in_any_pieces(sizes: list[int]) -> None:
    whole = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-a: 2\r\nContent-Length: 4\r\n\r\nbodyGET"
    reader, position, head = HeadReader(), 0, None
    for size in [*sizes, len(whole)]:
        head = reader.feed(whole[position : position + size])
        position += size
        if head is not None:
            break
    assert head is not None
    assert (head.method, head.target, head.length, head.keep_alive) == ("POST", b"/a?b=c", 4, True)
    assert head.fields == {"host": "x", "x-a": "1, 2", "content-length": "4"}
    assert (reader.rest + whole[position:]) == b"bodyGET"


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(1, 30), max_size=12))
def test_chunks_may_come_in_any_pieces(chunks: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\nNEXT"
    decoder, position, body, rest = ChunkDecoder(), 0, b"", b""
    for size in [*sizes, len(whole)]:
        pieces, rest = decoder.feed(whole[position : position + size])
        position += size
        body += b"".join(pieces)
        if decoder.ended:
            break
    assert decoder.ended
    assert body == b"".join(chunks)
    assert rest + whole[position:] == b"NEXT"


def test_a_body_of_known_length() -> None:
    decoder = LengthDecoder(3)
    assert decoder.feed(b"a") == ([b"a"], b"")
    assert decoder.feed(b"bcd") == ([b"bc"], b"d")
    assert decoder.ended


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        HeadReader().feed(data)
    except MalformedRequest:
        return
    try:
        ChunkDecoder().feed(data)
    except MalformedRequest:
        return


def test_limits_have_their_own_errors() -> None:
    with pytest.raises(TargetTooLong):
        HeadReader().feed(b"GET /" + b"x" * (TARGET_LIMIT_BYTES + 1))
    with pytest.raises(HeadersTooLarge):
        HeadReader().feed(b"GET / HTTP/1.1\r\nA: " + b"x" * (FIELDS_LIMIT_BYTES + 65))
