"""What both versions share: conversions and the normal form of device rules."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.kernel.cgroups.writes import io_weight, normal_rules, plan_hugepages, weight_of_shares
from havre.oci.runtime_spec import DeviceRule, HugepageLimit

ALLOW_ALL = DeviceRule(allow=True, type="a", access="rwm")
DENY_ALL = DeviceRule(allow=False, type="a", access="rwm")


@pytest.mark.parametrize(
    ("shares", "weight"), [(0, 1), (2, 1), (1024, 39), (262_144, 10_000), (10**9, 10_000), (512, 20)]
)
def test_shares_become_weights(shares: int, weight: int) -> None:
    assert weight_of_shares(shares) == weight


@pytest.mark.parametrize(("weight", "io"), [(10, 1), (1000, 10_000), (500, 4950)])
def test_block_weights_become_io_weights(weight: int, io: int) -> None:
    assert io_weight(weight) == io


def test_rules_start_from_nothing() -> None:
    assert normal_rules([]) == [DENY_ALL]
    one = DeviceRule(allow=True, type="c", major=1, minor=3, access="rwm")
    assert normal_rules([one]) == [DENY_ALL, one]


def test_a_rule_about_everything_forgets_what_came_before() -> None:
    one = DeviceRule(allow=True, type="c", major=1, minor=3, access="r")
    assert normal_rules([one, ALLOW_ALL]) == [ALLOW_ALL]
    assert normal_rules([ALLOW_ALL, DeviceRule(allow=False), one]) == [DENY_ALL, one]


def test_both_kinds_with_numbers_become_two_rules() -> None:
    found = normal_rules([DeviceRule(allow=True, type="a", major=8, minor=-1, access="wr")])
    assert [(rule.type, rule.major, rule.minor, rule.access) for rule in found[1:]] == [
        ("b", 8, None, "rw"),
        ("c", 8, None, "rw"),
    ]


@pytest.mark.parametrize(
    "rule",
    [
        DeviceRule(allow=True, type="p"),
        DeviceRule(allow=True, type="c", access=""),
        DeviceRule(allow=True, type="c", access="rx"),
        DeviceRule(allow=True, type="c", major=1 << 31),
    ],
)
def test_what_is_no_rule(rule: DeviceRule) -> None:
    with pytest.raises(InvalidInput):
        normal_rules([rule])


def test_a_rule_about_every_device_of_one_kind_says_nothing_of_the_other() -> None:
    kind = DeviceRule(allow=True, type="c", access="rwm")
    assert normal_rules([DENY_ALL, kind]) == [DENY_ALL, kind]


def test_a_page_size_is_no_path() -> None:
    with pytest.raises(InvalidInput, match="huge page"):
        plan_hugepages([HugepageLimit(page_size="../x", limit=1)], "max")
