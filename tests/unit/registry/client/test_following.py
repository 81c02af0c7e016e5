from __future__ import annotations

import pytest

from havre.registry.client.errors import BadAnswer
from havre.registry.client.exchange import Conversation, Reply, Request
from havre.registry.client.following import followed, is_local, redirected, shown

ASKED = Request("GET", "https://r.example/v2/a/blobs/x", {"Range": "bytes=5-"})


def plain(request: Request) -> Conversation:
    return (yield request)


def to(place: str, status: int = 307) -> Reply:
    return Reply(status, {"location": place})


def test_a_redirect_keeps_what_was_asked() -> None:
    talk = followed(ASKED, plain)
    next(talk)
    request = talk.send(to("https://cdn.example/blob?key=1"))
    assert (request.url, request.headers) == ("https://cdn.example/blob?key=1", ASKED.headers)
    assert request.guarded


def test_a_place_of_the_same_host() -> None:
    assert redirected(ASKED, to("/elsewhere")).url == "https://r.example/elsewhere"


def test_five_and_no_more() -> None:
    talk = followed(ASKED, plain)
    next(talk)
    for number in range(5):
        talk.send(to(f"https://r.example/{number}"))
    with pytest.raises(BadAnswer, match="more than 5"):
        talk.send(to("https://r.example/6"))


@pytest.mark.parametrize(
    "place",
    [
        "http://r.example/x",
        "ftp://r.example/x",
        "file:///etc/passwd",
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://169.254.169.254/latest",
        "https://0.0.0.0/x",
        "https://a:99999/x",
    ],
)
def test_places_where_nobody_may_send_us(place: str) -> None:
    with pytest.raises(BadAnswer):
        redirected(ASKED, to(place))


def test_a_registry_of_this_machine_may_send_to_it() -> None:
    here = Request("GET", "http://127.0.0.1:5000/v2/")
    request = redirected(here, to("http://localhost:5001/x"))
    assert (request.url, request.guarded) == ("http://localhost:5001/x", False)


@pytest.mark.parametrize(
    ("method", "status", "follows"), [("POST", 302, False), ("PUT", 307, True), ("HEAD", 302, True)]
)
def test_methods(method: str, status: int, follows: bool) -> None:  # noqa: FBT001
    talk = followed(Request(method, ASKED.url), plain)
    next(talk)
    if follows:
        assert talk.send(to("/x", status)).method == method
    else:
        with pytest.raises(StopIteration):
            talk.send(to("/x", status))


def test_what_is_shown_of_a_place() -> None:
    assert shown("https://cdn.example/blob?signature=secret") == "https://cdn.example/blob"
    assert not is_local("https://r.example/")
