"""The conversations line by line: the test plays the registry."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from havre.registry.client.errors import BadAnswer, LoginNeeded
from havre.registry.client.exchange import Conversation, Reply, Request
from havre.registry.client.keyring import STRANGER, Credentials, Keyring

BASE = "https://r.example"
ASKED = Request("GET", f"{BASE}/v2/a/manifests/1")
SCOPE = "repository:a:pull"
ANN = Credentials("ann", "s3cret")
ASKS_BASIC = Reply(401, {"www-authenticate": 'Basic realm="r"'})
ASKS_TOKEN = Reply(401, {"www-authenticate": f'Bearer realm="https://auth.example/token",service="s",scope="{SCOPE}"'})
GOOD = Reply(200)


def said(request: Request) -> str:
    return request.headers.get("Authorization", "")


def end(talk: Conversation, reply: Reply) -> Reply:
    with pytest.raises(StopIteration) as ended:
        talk.send(reply)
    value: Reply = ended.value.value
    return value


def token(text: str, **more: object) -> Reply:
    return Reply(200, {}, json.dumps({"token": text, **more}).encode())


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.url).query)


def test_nothing_is_asked() -> None:
    talk = Keyring(BASE).talk(ASKED)
    assert next(talk) == ASKED
    assert end(talk, GOOD) is GOOD


def test_basic_and_then_at_once() -> None:
    keyring = Keyring(BASE, ANN)
    talk = keyring.talk(ASKED)
    assert said(next(talk)) == ""
    again = talk.send(ASKS_BASIC)
    assert said(again) == "Basic " + base64.b64encode(b"ann:s3cret").decode()
    assert end(talk, GOOD) is GOOD
    assert said(next(keyring.talk(ASKED))).startswith("Basic ")


def test_basic_is_tried_once() -> None:
    talk = Keyring(BASE, ANN).talk(ASKED)
    next(talk)
    talk.send(ASKS_BASIC)
    assert end(talk, ASKS_BASIC) is ASKS_BASIC


def test_two_that_are_asked_at_once_both_answer() -> None:
    keyring = Keyring(BASE, ANN)
    one, other = keyring.talk(ASKED), keyring.talk(ASKED)
    next(one)
    next(other)
    assert said(one.send(ASKS_BASIC))
    assert said(other.send(ASKS_BASIC))


def test_a_stranger_has_nothing_to_say() -> None:
    talk = Keyring(BASE, STRANGER).talk(ASKED)
    next(talk)
    with pytest.raises(LoginNeeded, match="no basic auth credentials"):
        talk.send(ASKS_BASIC)


def test_a_token_for_a_stranger() -> None:
    talk = Keyring(BASE).talk(ASKED, [SCOPE])
    next(talk)
    asked = talk.send(ASKS_TOKEN)
    assert (asked.method, said(asked), asked.whole) == ("GET", "", True)
    assert query(asked) == {"service": ["s"], "scope": [SCOPE]}
    assert said(talk.send(token("t"))) == "Bearer t"
    assert end(talk, GOOD) is GOOD


def test_a_token_for_a_password_and_its_end() -> None:
    now = [0.0]
    keyring = Keyring(BASE, ANN, lambda: now[0])
    talk = keyring.talk(ASKED, [SCOPE])
    next(talk)
    asked = talk.send(ASKS_TOKEN)
    assert said(asked).startswith("Basic ")
    assert query(asked)["account"] == ["ann"]
    talk.send(token("t", expires_in=300))
    assert said(next(keyring.talk(ASKED, [SCOPE]))) == "Bearer t"
    assert said(next(keyring.talk(ASKED, ["repository:b:pull"]))) == ""
    now[0] = 299
    assert said(next(keyring.talk(ASKED, [SCOPE]))) == ""


def test_a_token_that_is_not_taken_is_renewed_once() -> None:
    keyring = Keyring(BASE, ANN)
    first = keyring.talk(ASKED, [SCOPE])
    next(first)
    first.send(ASKS_TOKEN)
    first.send(token("old"))
    talk = keyring.talk(ASKED, [SCOPE])
    assert said(next(talk)) == "Bearer old"
    talk.send(ASKS_TOKEN)
    assert said(talk.send(token("new"))) == "Bearer new"
    assert end(talk, ASKS_TOKEN) is ASKS_TOKEN


def test_an_identity_token_is_posted() -> None:
    talk = Keyring(BASE, Credentials(identity_token="it")).talk(ASKED, [SCOPE])  # noqa: S106
    next(talk)
    asked = talk.send(ASKS_TOKEN)
    assert (asked.method, asked.url) == ("POST", "https://auth.example/token")
    assert isinstance(asked.body, bytes)
    form = parse_qs(asked.body.decode())
    assert form == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["it"],
        "service": ["s"],
        "scope": [SCOPE],
        "client_id": ["havre"],
    }


def test_a_login_may_bring_an_identity_token() -> None:
    keyring = Keyring(BASE, ANN)
    talk = keyring.talk(Request("GET", f"{BASE}/v2/"))
    next(talk)
    asked = talk.send(Reply(401, {"www-authenticate": 'Bearer realm="https://auth.example/token",service="s"'}))
    assert query(asked)["offline_token"] == ["true"]
    talk.send(token("t", refresh_token="keep"))  # noqa: S106
    assert keyring.identity_token == "keep"  # noqa: S105


def test_a_registry_token_is_said_at_once() -> None:
    keyring = Keyring(BASE, Credentials(registry_token="rt"))  # noqa: S106
    talk = keyring.talk(ASKED)
    assert said(next(talk)) == "Bearer rt"
    assert end(talk, ASKS_TOKEN) is ASKS_TOKEN


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {}, b'{"details":"incorrect username or password"}'), LoginNeeded),
        (Reply(403), LoginNeeded),
        (Reply(200, {}, b"{}"), BadAnswer),
        (Reply(200, {}, b"<html>"), BadAnswer),
        (Reply(200, {}, b'{"token":"a\\r\\nb"}'), BadAnswer),
        (Reply(200, {}, b'{"token":1}'), BadAnswer),
    ],
)
def test_realms_that_give_none(reply: Reply, kind: type[Exception]) -> None:
    talk = Keyring(BASE, ANN).talk(ASKED, [SCOPE])
    next(talk)
    talk.send(ASKS_TOKEN)
    with pytest.raises(kind):
        talk.send(reply)


@pytest.mark.parametrize("realm", ["http://auth.example/token", "file:///etc/passwd", "", "https://", "https://a:x/"])
def test_realms_that_are_none(realm: str) -> None:
    """G-01: what may go to the registry by TLS goes nowhere without."""
    talk = Keyring(BASE, ANN).talk(ASKED, [SCOPE])
    next(talk)
    with pytest.raises(BadAnswer):
        talk.send(Reply(401, {"www-authenticate": f'Bearer realm="{realm}"'}))


def test_another_party_gets_nothing() -> None:
    keyring = Keyring(BASE, ANN)
    for url in ("https://other.example/v2/", "http://r.example/v2/", "https://r.example:444/"):
        talk = keyring.talk(Request("GET", url))
        assert said(next(talk)) == ""
        assert end(talk, ASKS_BASIC) is ASKS_BASIC


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(ANN)
