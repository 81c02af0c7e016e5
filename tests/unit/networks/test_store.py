from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from havre.base.errors import InternalError
from havre.networks.model import AddressTaken, Attachment, Endpoint, Network, Subnet
from havre.networks.store import Store

_BRIDGE = Network(id="a" * 64, name="bridge", driver="bridge", created_ns=1, subnets=(Subnet("172.17.0.0/16"),))


def _attachment(sandbox: str, *addresses: str, network_id: str = _BRIDGE.id) -> Attachment:
    endpoints = tuple(Endpoint(network_id, "bridge", ip_address=address) for address in addresses)
    return Attachment(sandbox_id=sandbox * 64, endpoints=endpoints)


_FIRST = _attachment("1", "172.17.0.2")


def test_what_is_saved_is_there_after_a_new_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "network")
    store.save_network(_BRIDGE)
    store.save_attachment(_FIRST)
    again = Store(tmp_path / "network")  # the first is not closed: as after kill -9
    assert again.networks() == [_BRIDGE]
    assert again.attachments() == [_FIRST]
    store.close()
    again.close()


def test_a_network_is_replaced_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_network(_BRIDGE)
    store.save_network(changed := msgspec.structs.replace(_BRIDGE, subnets=(Subnet("10.0.0.0/16"),)))
    assert store.networks() == [changed]
    store.close()


def test_an_address_belongs_to_one_sandbox_of_a_network(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_attachment(_FIRST)
    rival = msgspec.structs.replace(_FIRST, sandbox_id="2" * 64)
    with pytest.raises(AddressTaken):
        store.save_attachment(rival)
    assert store.attachments() == [_FIRST]
    store.forget_attachment(_FIRST.sandbox_id)
    store.forget_attachment(_FIRST.sandbox_id)
    store.save_attachment(rival)
    for number in "34":  # those without an address never collide
        store.save_attachment(_attachment(number, ""))
    store.save_attachment(_attachment("5", "172.17.0.2", network_id="b" * 64))  # nor those of different networks
    assert len(store.attachments()) == 4
    store.close()


def test_what_a_sandbox_gives_up_is_free(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_attachment(_attachment("1", "172.17.0.2", "172.17.0.3"))
    store.save_attachment(_attachment("1", "172.17.0.3"))
    store.save_attachment(_attachment("2", "172.17.0.2"))
    with pytest.raises(AddressTaken):
        store.save_attachment(_attachment("2", "172.17.0.2", "172.17.0.3"))
    assert store.attachments() == [_attachment("1", "172.17.0.3"), _attachment("2", "172.17.0.2")]
    store.close()


def test_a_network_that_is_forgotten_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_network(_BRIDGE)
    store.forget_network(_BRIDGE.id)
    store.forget_network(_BRIDGE.id)
    assert store.networks() == []
    store.close()


_V1 = """
CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL) STRICT;
CREATE TABLE attachments (
    sandbox_id TEXT PRIMARY KEY, network_id TEXT NOT NULL, address TEXT, record BLOB NOT NULL,
    UNIQUE (network_id, address)
) STRICT;
CREATE TABLE damaged (origin TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL) STRICT;
PRAGMA user_version=1;
"""


def test_a_file_of_the_first_schema_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "networks.db") as db:
        db.executescript(_V1)
        network = {
            "id": "a" * 64,
            "name": "bridge",
            "driver": "bridge",
            "created_ns": 7,
            "subnet": "172.17.0.0/16",
            "gateway": "172.17.0.1",
            "bridge_address": "172.17.0.1",
            "bridge_name": "havre0",
        }
        attachment = {
            "sandbox_id": "1" * 64,
            "network_name": "bridge",
            "network_id": "a" * 64,
            "ip_address": "172.17.0.2",
            "ip_prefix_len": 16,
            "host_link": "veth1",
            "netns_path": "/run/x",
            "endpoint_id": "e" * 64,
        }
        db.execute("INSERT INTO networks VALUES (?, 'bridge', ?)", ("a" * 64, msgspec.json.encode(network)))
        db.execute(
            "INSERT INTO attachments VALUES (?, ?, '172.17.0.2', ?)",
            ("1" * 64, "a" * 64, msgspec.json.encode(attachment)),
        )
    db.close()
    store = Store(tmp_path)
    (kept,) = store.networks()
    assert (kept.id, kept.created_ns, kept.subnet, kept.gateway) == ("a" * 64, 7, "172.17.0.0/16", "172.17.0.1")
    (lives,) = store.attachments()
    assert lives.netns_path == "/run/x"
    assert (lives.endpoints[0].ip_address, lives.endpoints[0].host_link) == ("172.17.0.2", "veth1")
    with pytest.raises(AddressTaken):
        store.save_attachment(_attachment("2", "172.17.0.2"))
    store.close()


def test_a_damaged_record_is_set_aside_and_frees_its_address(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_attachment(_FIRST)
    second = _attachment("2", "172.17.0.3")
    store.save_attachment(second)
    other = sqlite3.connect(tmp_path / "networks.db")
    with other:
        other.execute("UPDATE attachments SET record = x'7b00' WHERE sandbox_id = ?", (_FIRST.sandbox_id,))
    assert store.attachments() == [second]
    store.save_attachment(_FIRST)
    assert other.execute("SELECT origin, name FROM damaged").fetchall() == [("attachments", _FIRST.sandbox_id)]
    other.close()
    store.close()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "networks.db").write_bytes(b"this is no database, whatever its name says" * 100)
    store = Store(tmp_path)
    assert store.networks() == []
    assert len(list(tmp_path.glob("networks.db.damaged-*"))) == 1
    store.close()


def test_a_newer_schema_is_refused_without_a_write(tmp_path: Path) -> None:
    Store(tmp_path).close()
    database = sqlite3.connect(tmp_path / "networks.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = (tmp_path / "networks.db").read_bytes()
    with pytest.raises(InternalError, match="newer havre"):
        Store(tmp_path)
    assert (tmp_path / "networks.db").read_bytes() == before
