"""Credentials and scopes as clients write them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.registry.server.auth.access import Action
from havre.registry.server.auth.callers import Scope, parse_basic, parse_scope, repository_scope


@given(st.text().filter(lambda text: ":" not in text), st.text())
def test_a_user_and_a_password(user: str, password: str) -> None:
    value = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass"))
    try:
        f"{user}:{password}".encode()
    except UnicodeEncodeError:
        assert parse_basic(value.decode()) == ("", "")
    else:
        assert parse_basic(value.decode()) == (user, password)


@given(st.text())
def test_what_is_no_credential_is_nobody(text: str) -> None:
    user, password = parse_basic(text)
    assert isinstance(user, str)
    assert isinstance(password, str)


@pytest.mark.parametrize("text", ["", "a", "a:b", ":b:pull", "repository::pull"])
def test_what_is_no_scope(text: str) -> None:
    scope = parse_scope(text)
    assert scope is None or not scope.name or not scope.actions


def test_scopes() -> None:
    assert parse_scope("repository:a/b:pull,push") == Scope("repository", "a/b", frozenset({"pull", "push"}))
    assert parse_scope("repository:host:5000/a:pull") == Scope("repository", "host:5000/a", frozenset({"pull"}))
    assert parse_scope("repository(plugin):a:pull,other") == Scope("repository", "a", frozenset({"pull"}))
    assert parse_scope("registry:catalog:*") == Scope("registry", "catalog", frozenset({"*"}))
    assert str(repository_scope("a", Action.PUSH, Action.PULL)) == "repository:a:pull,push"


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    parse_scope(text)
