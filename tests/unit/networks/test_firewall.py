from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import IPv4Network

import pytest

from havre.kernel.nft import Command
from havre.networks.bridge_rules import BridgeRules, Guard
from havre.networks.firewall import TABLE, Wanted, add_guards, remove_guards, replace_tables

_FIRST = BridgeRules("havre0", (IPv4Network("172.17.0.0/16"),))
_SECOND = BridgeRules("br-0123", (IPv4Network("172.18.0.0/16"),), talking=False, masked=frozenset())
_INTERNAL = BridgeRules("br-9999", (IPv4Network("172.19.0.0/16"),), outward=False)
_GUARD = Guard("veth1", "02:42:ac:11:00:02", ("172.17.0.2", "fd00::2"))


def _elements(commands: Iterable[Command], name: str) -> list[object]:
    texts = [json.loads(json.dumps(command)) for command in commands]
    added = [text["add"]["element"] for text in texts if "element" in text.get("add", {})]
    return [element for each in added if each["name"] == name for element in each["elem"]]


def _rules(commands: Iterable[Command]) -> list[str]:
    return [json.dumps(command) for command in commands if '"rule"' in json.dumps(command)]


@pytest.mark.parametrize(
    "wanted", [Wanted(()), Wanted((_FIRST, _SECOND), frozenset({4}), (_GUARD,)), Wanted((_FIRST,), guards=None)]
)
def test_nothing_but_our_tables_is_named(wanted: Wanted) -> None:
    for command in replace_tables(wanted):
        ((_, what),) = command.items()
        assert isinstance(what, dict)
        ((kind, body),) = what.items()
        assert body["name" if kind == "table" else "table"] == TABLE
        assert body["family"] in {"inet", "bridge"}


def test_a_network_or_sandbox_more_is_an_element_and_no_rule_more() -> None:
    one = Wanted((_FIRST,), guards=(_GUARD,))
    many = Wanted(
        tuple(BridgeRules(f"br{each}", (IPv4Network((0x0A000000 + (each << 8), 24)),)) for each in range(50)),
        guards=tuple(Guard(f"veth{each}", "02:42:ac:11:00:02", (f"10.0.{each}.2",)) for each in range(50)),
    )
    assert len(_rules(replace_tables(many))) == len(_rules(replace_tables(one)))
    assert len(_elements(replace_tables(many), "bridges")) == 50


def test_each_bridge_gets_what_its_settings_say() -> None:
    made = replace_tables(Wanted((_FIRST, _SECOND, _INTERNAL)))
    assert _elements(made, "bridges") == ["havre0", "br-0123", "br-9999"]
    assert _elements(made, "outward") == ["havre0", "br-0123"]
    assert _elements(made, "talking") == [{"concat": [name, name]} for name in ("havre0", "br-9999")]
    assert _elements(made, "masqueraded") == [{"prefix": {"addr": "172.17.0.0", "len": 16}}]
    assert len(_elements(made, "homes")) == len(_elements(made, "subnets")) == 3


def test_guards_come_and_go_as_the_same_elements() -> None:
    assert [command["add"] for command in add_guards([_GUARD])] == [
        command["delete"] for command in remove_guards([_GUARD])
    ]
    assert _elements(add_guards([_GUARD]), "sources") == [{"concat": ["veth1", "02:42:ac:11:00:02", "172.17.0.2"]}]
    assert _elements(add_guards([_GUARD]), "sources6") == [{"concat": ["veth1", "02:42:ac:11:00:02", "fd00::2"]}]
    assert _elements(replace_tables(Wanted((_FIRST,), guards=(_GUARD,))), "guarded") == ["veth1"]


def test_without_guards_there_is_no_table_for_ports() -> None:
    added = [command for command in replace_tables(Wanted((_FIRST,), guards=None)) if "add" in command]
    assert not [command for command in added[2:] if '"bridge", "table"' in json.dumps(command)]
