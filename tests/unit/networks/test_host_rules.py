from __future__ import annotations

import pytest

from havre.networks.host_rules import Guarded, NotUnderstood, change_ports, closed_table, judges, replace_table

_FILTER = """table inet filter {
    set friends {
        type ipv4_addr
        flags interval
        elements = { 203.0.113.0/24,
                 198.51.100.7 }
    }

    set unasked {
        type ipv4_addr
    }

    chain input {
        comment "what { comes in"
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept }
        tcp dport { 22, 80 } counter packets 5 bytes 300 accept comment "ssh { and web"
        ip saddr @friends jump more
        log prefix "closed: " level info flags all drop
        counter name "seen" reject with icmpx type port-unreachable
        xt match "string" counter drop
        xt match "string" accept
        xt target "LOG"
    }

    chain more {
        goto last
    }

    chain last {
        accept
    }

    chain forward {
        type filter hook forward priority filter; policy drop;
        jump unasked_chain
    }

    chain unasked_chain {
    }
}
"""
_HARMLESS = """table ip nat {
    chain PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
    }
}
"""


def lines(*listed: str) -> list[str]:
    ports = [Guarded("0.0.0.0", "tcp", 80), Guarded("::", "tcp", 80), Guarded("10.0.0.1", "udp", 53)]
    return replace_table(listed, [*ports, Guarded("fd00::1", "tcp", 81)], ["havre0"]).splitlines()


def body(made: list[str], chain: str) -> list[str]:
    start = made.index(f"chain {chain} {{")
    return made[start + 1 : made.index("}", start)]


def test_chains_that_judge_what_comes_in_are_found() -> None:
    assert judges(_FILTER)
    assert not judges(_HARMLESS)
    assert not judges("")


def test_rules_are_said_again_without_what_counts_or_logs() -> None:
    made = lines(_FILTER)
    assert body(made, "h0_input_body") == [
        "ct state vmap { established : accept, related : accept }",
        "tcp dport { 22, 80 }  accept",
        "ip saddr @h0_friends jump h0_more",
        "drop",
        "drop",
        "drop",  # what cannot be understood closes
        "drop",  # the policy
    ]
    assert body(made, "h0_more") == ["goto h0_last"]
    assert body(made, "h0_last") == ["accept"]


def test_only_what_is_asked_is_copied() -> None:
    made = "\n".join(lines(_FILTER))
    assert "h0_friends {\ntype ipv4_addr\nflags interval\nelements = { 203.0.113.0/24,\n198.51.100.7 }\n}" in made
    assert "unasked" not in made
    assert "forward" not in made


def test_each_base_chain_keeps_its_place_and_its_family() -> None:
    made = lines(_FILTER, _FILTER.replace("table inet", "table ip6"))
    first, second = body(made, "h0_input_base"), body(made, "h1_input_base")
    assert first[0] == "type filter hook prerouting priority -140; policy accept;"
    assert second[0] == "type filter hook prerouting priority -139; policy accept;"
    assert "meta nfproto != ipv6 accept" in second
    assert not any("nfproto" in line for line in first)
    assert "iifname @inner accept" in first


def test_ports_are_elements() -> None:
    made = "\n".join(lines(_FILTER))
    assert "set any {\ntype inet_proto . inet_service\nelements = { tcp . 80 }\n}" in made
    assert "elements = { 10.0.0.1 . udp . 53 }" in made
    assert "elements = { fd00::1 . tcp . 81 }" in made
    assert '"lo", "havre0"' in made
    assert change_ports("add", [Guarded("::", "tcp", 81)]) == "add element inet havre_host any { tcp . 81 }"


@pytest.mark.parametrize("policy", ["accept", "drop"])
def test_a_policy_is_the_last_rule(policy: str) -> None:
    text = f"table ip filter {{\n\tchain IN {{\n\t\ttype filter hook input priority 0; policy {policy};\n\t}}\n}}\n"
    assert body(lines(text), "h0_IN_body") == (["drop"] if policy == "drop" else [])


def test_what_is_not_understood_is_told() -> None:
    with pytest.raises(NotUnderstood):
        lines(_FILTER.replace("        accept\n", "        type filter hook input priority 1; policy drop;\n" * 2))


def test_closed_is_closed_to_what_is_published() -> None:
    made = closed_table([Guarded("0.0.0.0", "tcp", 80)], ["havre0"]).splitlines()
    assert body(made, "closed_body") == ["drop"]
    assert "meta l4proto . th dport @any fib daddr type local goto closed_body" in made
