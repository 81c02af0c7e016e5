"""Proxies, pauses, ranges, refusals, documents, pages: the short functions of the client."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from havre.base.errors import HavreError, InvalidInput
from havre.oci.digest import Digest
from havre.registry.client.documents import read_document
from havre.registry.client.errors import BadAnswer, Denied, LoginNeeded, NotThere, Unreachable
from havre.registry.client.exchange import Reply, origin
from havre.registry.client.pauses import Attempts, retry_after_s
from havre.registry.client.proxies import proxy_for
from havre.registry.client.ranges import offset_of, received_of
from havre.registry.client.refusals import refusal
from havre.registry.client.registries import domain_of
from havre.registry.client.repository import next_page
from havre.registry.client.settings import Settings

PROXIES = Settings(
    http_proxy="p:1", https_proxy="http://q:2", no_proxy=".in.example, 10.0.0.0/8,exact.example:444,a.example"
)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://r.example/", "http://p:1"),
        ("https://r.example/", "http://q:2"),
        ("https://x.in.example/", None),
        ("https://in.example/", "http://q:2"),
        ("https://10.2.3.4/", None),
        ("https://exact.example:444/", None),
        ("https://exact.example/", "http://q:2"),
        ("https://b.a.example/", None),
        ("https://a.example/", None),
        ("http://localhost:5000/", None),
        ("http://127.0.0.1:5000/", None),
    ],
)
def test_proxies(url: str, proxy: str | None) -> None:
    assert proxy_for(url, PROXIES) == proxy
    assert proxy_for(url, Settings(http_proxy="p", https_proxy="p", no_proxy="*")) is None


def test_pauses_double_and_end() -> None:
    attempts = Attempts(5, 1.0, lambda: 0.5)
    assert [attempts.failed() for _ in range(5)] == [1, 2, 4, 8, None]
    attempts.progress()
    assert attempts.failed() == 1
    assert attempts.failed(30) == 30


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("0", 0),
        ("7", 7),
        ("1000000", 120),
        ("-5", None),
        ("soon", None),
        ("Sat, 28 Nov 2026 00:00:30 GMT", 30),
        ("Fri, 27 Nov 2026 00:00:00 GMT", 0),
        ("Sat, 28 Nov 2099 00:00:00 GMT", 120),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": text}, datetime(2026, 11, 28, tzinfo=UTC)) == seconds


def test_where_an_answer_begins() -> None:
    assert offset_of(Reply(206, {"content-range": "bytes 5-9/10"}), 5, 10, "x") == 5
    assert offset_of(Reply(206, {"content-range": "bytes 3-9/10"}), 5, 10, "x") == 3
    assert offset_of(Reply(200, {"content-length": "10"}), 5, 10, "x") == 0
    assert offset_of(Reply(200), 5, 10, "x") == 0
    for wrong in (
        Reply(206, {"content-range": "bytes 7-9/10"}),
        Reply(206, {"content-range": "bytes */10"}),
        Reply(206),
        Reply(200, {"content-length": "11"}),
    ):
        with pytest.raises(BadAnswer):
            offset_of(wrong, 5, 10, "x")


@pytest.mark.parametrize(
    ("text", "count"), [("0-99", 100), ("bytes=0-99", 100), ("0-0", 0), ("", -1), ("5-9", -1), ("0-x", -1), ("99", -1)]
)
def test_how_far_an_upload_is(text: str, count: int) -> None:
    assert received_of(Reply(204, {"range": text})) == count


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}', NotThere, "manifest unknown: no"),
        (403, b'{"errors":[{"code":"DENIED"}]}', Denied, "denied"),
        (401, b"{}", LoginNeeded, "unexpected status 401"),
        (503, b"<html>", Unreachable, "unexpected status 503"),
        (418, b'{"message":"tea"}', BadAnswer, "tea"),
        (500, b'{"errors":[{"code":"X","message":"a\\u001b[2Jb"}]}', Unreachable, "x: a [2Jb"),
        (400, b'{"errors":[' + b"[" * 10000, BadAnswer, "unexpected status 400"),
    ],
)
def test_refusals(status: int, body: bytes, kind: type[HavreError], words: str) -> None:
    said = refusal(Reply(status, {}, body))
    error = said.error("asking")
    assert type(error) is kind
    assert error.message == f"asking: {words}"


def test_documents_are_proved() -> None:
    data = b"{}"
    reply = Reply(200, {"content-type": "application/vnd.oci.image.manifest.v1+json; charset=utf-8"}, data)
    found = read_document(reply, "x", Digest.of(data), 2)
    assert (found.descriptor.media_type, found.digest) == (
        "application/vnd.oci.image.manifest.v1+json",
        Digest.of(data),
    )
    assert read_document(Reply(200, {"content-type": "text/plain"}, data), "x").descriptor.media_type == ""
    cases: list[tuple[Reply, Digest | None, int | None]] = [
        (reply, Digest.of(b"other"), None),
        (reply, Digest.of(data), 3),
        (Reply(200, {"docker-content-digest": str(Digest.of(b"y"))}, data), None, None),
        (Reply(200, {}, bytes(5 << 20)), None, None),
    ]
    for wrong, digest, size in cases:
        with pytest.raises(BadAnswer):
            read_document(wrong, "x", digest, size)


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("", ""),
        ('</v2/a/tags/list?last=x&n=2>; rel="next"', "/v2/a/tags/list?last=x&n=2"),
        ("</v2/p>; rel=next", "/v2/p"),
        ('</v2/q>; rel="prev", </v2/p>; rel="next"', "/v2/p"),
        ('/v2/p; rel="next"', ""),
    ],
)
def test_pages(link: str, place: str) -> None:
    assert next_page(link) == place


@pytest.mark.parametrize(
    ("server", "domain"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("r.example", "r.example"),
        ("http://r.example:5000/v2/", "r.example:5000"),
        ("localhost", "localhost"),
    ],
)
def test_whom_a_login_means(server: str, domain: str) -> None:
    assert domain_of(server) == domain


@pytest.mark.parametrize("server", ["a b", "r.example:x", "-"])
def test_what_is_no_registry(server: str) -> None:
    with pytest.raises(InvalidInput):
        domain_of(server)


def test_origins() -> None:
    assert origin("HTTPS://R.example/x") == origin("https://r.example:443/y")
    assert origin("http://r.example") != origin("https://r.example")
