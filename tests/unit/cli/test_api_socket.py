"""What `--use-api-socket` adds to a request; the rest is tried beside docker's own command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from havre.cli.api_socket import lend
from havre.client.client import Client
from havre.client.connection import Address
from havre.client.errors import ClientError
from havre.wire.containers import CreateContainer


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def client() -> Client:
    return Client(Address("unix:///run/d.sock"))


def test_the_socket_is_one_mount_more(config: Path) -> None:
    assert not config.exists()
    body: CreateContainer = {"Env": ["A=1"], "HostConfig": {"Mounts": [{"Type": "tmpfs", "Target": "/t"}]}}
    assert lend(body, client()) == b""
    mounts = (body["HostConfig"] or {}).get("Mounts") or ()
    assert [mount.get("Target") for mount in mounts] == ["/t", "/var/run/docker.sock"]
    assert body["Env"] == ["A=1"]


def test_who_the_user_is_goes_along(config: Path) -> None:
    config.write_text(json.dumps({"auths": {"reg.example": {"auth": "dTpw"}, "other.example": {}}}))
    body: CreateContainer = {"HostConfig": {}}
    assert b'"reg.example": {\n\t\t\t"auth": "dTpw"' in lend(body, client())
    assert body["Env"] == ["DOCKER_CONFIG=/run/secrets/docker"]


def test_a_container_with_a_config_of_its_own_keeps_it(config: Path) -> None:
    config.write_text(json.dumps({"auths": {"reg.example": {"auth": "dTpw"}}}))
    body: CreateContainer = {"Env": ["DOCKER_CONFIG=/x"], "HostConfig": {}}
    assert lend(body, client()) == b""
    assert body["Env"] == ["DOCKER_CONFIG=/x"]


def test_only_a_unix_socket_can_be_lent() -> None:
    with pytest.raises(ClientError, match="can only be used with unix sockets: docker endpoint tcp://h:1 incompatible"):
        lend({"HostConfig": {}}, Client(Address("tcp://h:1")))
