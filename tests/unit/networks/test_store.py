from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from havre.base.errors import InternalError
from havre.networks.model import AddressTaken, Attachment, Network
from havre.networks.store import Store

_BRIDGE = Network(id="a" * 64, name="bridge", driver="bridge", created_ns=1, subnet="172.17.0.0/16")
_FIRST = Attachment(sandbox_id="1" * 64, network_name="bridge", network_id=_BRIDGE.id, ip_address="172.17.0.2")


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
    store.save_network(changed := msgspec.structs.replace(_BRIDGE, subnet="10.0.0.0/16"))
    assert store.networks() == [changed]
    store.close()


def test_an_address_belongs_to_one_sandbox_of_a_network(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_attachment(_FIRST)
    rival = msgspec.structs.replace(_FIRST, sandbox_id="2" * 64)
    with pytest.raises(AddressTaken, match=r"172\.17\.0\.2"):
        store.save_attachment(rival)
    store.forget_attachment(_FIRST.sandbox_id)
    store.forget_attachment(_FIRST.sandbox_id)
    store.save_attachment(rival)
    for number in "34":  # those without an address never collide
        store.save_attachment(msgspec.structs.replace(_FIRST, sandbox_id=number * 64, ip_address=""))
    assert len(store.attachments()) == 3
    store.close()


def test_a_damaged_record_is_set_aside_and_frees_its_address(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_attachment(_FIRST)
    second = msgspec.structs.replace(_FIRST, sandbox_id="2" * 64, ip_address="172.17.0.3")
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
