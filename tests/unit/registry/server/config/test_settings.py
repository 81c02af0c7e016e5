"""Configurations: Docker's files are read, and what would be dangerous is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.registry.server.auth.access import ALL, Action
from havre.registry.server.config.document import parse_document
from havre.registry.server.config.settings import Settings, parse_address, settings_of

DEBIAN = Path("/etc/docker/registry/config.yml")


def settings(text: str, *, open_to_all: bool = False, public: tuple[str, ...] = ()) -> Settings:
    return settings_of(parse_document(text.encode()), open_to_all=open_to_all, public=public)


def test_debians_own_file_is_read() -> None:
    found = settings(DEBIAN.read_text())
    assert found.root == Path("/var/lib/docker-registry")
    assert (str(found.address), found.address.is_loopback) == (":5000", False)
    assert found.headers == {"X-Content-Type-Options": "nosniff"}
    assert found.rules.allowed("a", "someone") == ALL


def test_nothing_said_is_a_registry_of_this_machine_alone() -> None:
    found = settings("")
    assert (str(found.address), found.read_only, found.deletions) == ("127.0.0.1:5000", False, True)
    assert found.rules.allowed("a", "") == ALL
    assert (found.times.grace, found.times.upload_age, found.times.untagged_after) == (3600, 604800, None)


@pytest.mark.parametrize(
    "text",
    [
        "http: {addr: ':5000'}",
        "http: {addr: '192.0.2.1:5000'}\naccess: [{repositories: a, anonymous: [push]}]",
        "http: {addr: 'localhost.example:5000'}",
    ],
)
def test_pushes_without_credentials_stay_on_loopback(text: str) -> None:
    with pytest.raises(InvalidInput, match="could push"):
        settings(text)
    settings(text, open_to_all=True)
    settings(text + "\nstorage: {maintenance: {readonly: {enabled: true}}}")
    settings(text + "\nproxy: {remoteurl: 'https://registry.invalid'}")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_addresses_of_loopback(address: str) -> None:
    assert parse_address(address).is_loopback


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("storag: {}", "storag"),
        ("http: {addr: x}", "no port"),
        ("http: {addr: 'x:99999'}", "port"),
        ("http: {tls: {key: a}}", "both"),
        ("log: {level: loud}", "log level"),
        ("[1]", "object"),
        ("a: [", "expected"),
        ("auth: {htpasswd: {path: a}, token: {realm: a, service: b, issuer: c, jwks: d}}", "not both"),
        ("auth: {token: {realm: a, service: b, issuer: c}}", "signatures"),
        ("auth: {tokenservice: {}}", "tokenservice needs"),
        ("access: [{repositories: a, users: {b: [pull]}}]", "names users"),
        ("access: [{repositories: a, anonymous: [look]}]", "unknown action"),
        ("proxy: {remoteurl: 'file:///etc'}", "remoteurl"),
        ("proxy: {remoteurl: 'https://a/b'}", "remoteurl"),
        ("storage: {maintenance: {garbagecollection: {grace: soon}}}", "grace"),
        ("http: {headers: {A: ['b\\nc']}}", "control"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        settings(text.replace("\\n", "\n") if "headers" not in text else text.replace("['b\\nc']", '["b\\nc"]'))


def test_public_repositories() -> None:
    found = settings("auth: {htpasswd: {path: a}}", public=("library/*",))
    assert found.rules.allowed("library/a", "") == {Action.PULL}
    assert found.rules.allowed("library/a", "alice") == ALL
    assert found.rules.allowed("other", "") == frozenset()
