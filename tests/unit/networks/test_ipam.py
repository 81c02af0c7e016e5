from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as some

from havre.base.errors import InvalidInput
from havre.networks.ipam import AnyAddress, Leases, check_range, choose_address, choose_subnet, first_host
from havre.networks.model import DEFAULT_POOLS, AddressPool, AddressTaken, Network, NoFreeAddress, Subnet

_NET = IPv4Network("10.1.2.0/29")


def test_the_first_default_pool_is_dockers() -> None:
    assert choose_subnet(DEFAULT_POOLS, []) == IPv4Network("172.17.0.0/16")


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        (["172.17.5.0/24"], "172.18.0.0/16"),
        (["172.16.0.0/12"], "192.168.0.0/20"),
        (["172.16.0.0/12", "192.168.10.0/24"], "192.168.16.0/20"),
    ],
)
def test_what_the_host_uses_is_avoided(taken: list[str], chosen: str) -> None:
    assert choose_subnet(DEFAULT_POOLS, [IPv4Network(each) for each in taken]) == IPv4Network(chosen)


def test_no_pool_left_is_told() -> None:
    with pytest.raises(NoFreeAddress, match="non-overlapping"):
        choose_subnet(DEFAULT_POOLS, [IPv4Network(each) for each in ("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8")])


def test_after_dockers_pools_small_networks_are_left() -> None:
    taken = [IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]
    assert choose_subnet(DEFAULT_POOLS, taken) == IPv4Network("10.192.0.0/24")
    assert choose_subnet(DEFAULT_POOLS, [*taken, IPv4Network("10.192.0.0/22")]) == IPv4Network("10.192.4.0/24")


def test_families_have_pools_of_their_own() -> None:
    pools = [*DEFAULT_POOLS, AddressPool(IPv6Network("fd00::/48"), 64)]
    assert choose_subnet(pools, [IPv6Network("fd00::/64")], 6) == IPv6Network("fd00:0:0:1::/64")
    with pytest.raises(NoFreeAddress, match="IPv6"):
        choose_subnet(DEFAULT_POOLS, [], 6)


@pytest.mark.parametrize("size", [8, 31])
def test_a_pool_that_cannot_be_cut_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="address pool"):
        AddressPool(IPv4Network("10.0.0.0/16"), size)


def test_addresses_go_out_lowest_first_and_never_the_edges() -> None:
    taken: set[AnyAddress] = {first_host(_NET).ip}
    for last in range(2, 7):
        address = choose_address(_NET, _NET, taken)
        assert str(address) == f"10.1.2.{last}"
        taken.add(address)
    with pytest.raises(NoFreeAddress, match=r"10\.1\.2\.0/29"):
        choose_address(_NET, _NET, taken)


@given(some.sets(some.integers(0, 255)), some.integers(0, 3))
def test_what_is_chosen_is_free_and_in_range(used: set[int], quarter: int) -> None:
    subnet = IPv4Network("10.0.0.0/24")
    ip_range = list(subnet.subnets(new_prefix=26))[quarter]
    taken = {subnet.network_address + each for each in used}
    try:
        address = choose_address(subnet, ip_range, taken)
    except NoFreeAddress:
        edges = {subnet.network_address, subnet.broadcast_address}
        assert set(ip_range) <= taken | edges
    else:
        assert address in ip_range
        assert address not in taken
        assert int(address) & 0xFF not in {0, 255}


def test_a_wish_is_granted_or_told_why_not() -> None:
    taken = {IPv4Address("10.1.2.1"), IPv4Address("10.1.2.4")}
    assert choose_address(_NET, _NET, taken, IPv4Address("10.1.2.6")) == IPv4Address("10.1.2.6")
    with pytest.raises(AddressTaken, match="already in use"):
        choose_address(_NET, _NET, taken, IPv4Address("10.1.2.4"))
    for outside in ("10.1.3.1", "10.1.2.0", "10.1.2.7"):
        with pytest.raises(InvalidInput, match="does not belong"):
            choose_address(_NET, _NET, taken, IPv4Address(outside))


def test_a_range_elsewhere_is_refused() -> None:
    assert check_range(_NET, None) == _NET
    with pytest.raises(InvalidInput, match="fixed-cidr"):
        check_range(_NET, IPv4Network("10.1.3.0/30"))


def test_what_is_given_back_goes_out_first() -> None:
    leases = Leases()
    network = Network("n", "n", "bridge", 0, (Subnet("10.1.2.0/24"), Subnet("fd00::/64")), ipv6=True)
    for version, prefix in ((4, "10.1.2."), (6, "fd00::")):
        for last in range(1, 9):
            address, _ = leases.choose(network, version)
            assert str(address) == f"{prefix}{last}"
            leases.take("n", [str(address)])
    for last in (7, 3):
        leases.give_back("n", [f"10.1.2.{last}", f"fd00::{last}"])
        assert [str(leases.choose(network, version)[0]) for version in (4, 6)] == [f"10.1.2.{last}", f"fd00::{last}"]
    leases.choose(network, 4, IPv4Address("10.1.2.200"))
    assert str(leases.choose(network, 4)[0]) == "10.1.2.3"
