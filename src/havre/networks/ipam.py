"""Which subnet, which address: choices on what is taken, for IPv4 and IPv6 alike."""

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from havre.base.errors import InvalidInput
from havre.networks.model import AddressPool, AddressTaken, Network, NoFreeAddress, Subnet

AnyNetwork: TypeAlias = IPv4Network | IPv6Network
AnyAddress: TypeAlias = IPv4Address | IPv6Address


def choose_subnet(pools: Iterable[AddressPool], taken: Collection[AnyNetwork], version: int = 4) -> AnyNetwork:
    """The first piece of the first pool of this *version* that overlaps nothing of *taken*. Raises NoFreeAddress."""
    used = [_span(each) for each in taken if each.version == version]
    for pool in pools:
        if pool.base.version == version and (found := _first_free(pool, used)) is not None:
            return found
    raise NoFreeAddress(
        f"could not find an available, non-overlapping IPv{version} address pool among the defaults "
        "to assign to the network"
    )


def _first_free(pool: AddressPool, used: Collection[tuple[int, int]]) -> AnyNetwork | None:
    size = 1 << (pool.base.max_prefixlen - pool.size)
    start, end = _span(pool.base)
    while start + size - 1 <= end:
        last = start + size - 1
        beyond = max((high for low, high in used if low <= last and high >= start), default=-1)
        if beyond < 0:
            return ipaddress.ip_network((pool.base[start - int(pool.base.network_address)], pool.size))
        start += (beyond - start) // size * size + size
    return None


def _span(network: AnyNetwork) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)


def first_host(subnet: IPv4Network) -> IPv4Interface:
    """The lowest host of *subnet*: the gateway when nobody says otherwise."""
    return IPv4Interface((subnet.network_address + 1, subnet.prefixlen))


def check_range(subnet: IPv4Network, ip_range: IPv4Network | None) -> IPv4Network:
    """The part of *subnet* that is handed out. Raises InvalidInput when it lies elsewhere."""
    if ip_range is None:
        return subnet
    if not ip_range.subnet_of(subnet):
        raise InvalidInput(f"invalid fixed-cidr: {ip_range} is not a part of the bridge's subnet {subnet}")
    return ip_range


def choose_address(
    subnet: AnyNetwork,
    ip_range: AnyNetwork,
    taken: Collection[AnyAddress],
    wanted: AnyAddress | None = None,
    since: int = 0,
) -> AnyAddress:
    """*wanted*, or the lowest address of *ip_range* that is free; the caller knows that none before *since* is.

    *taken* holds the gateway too. Raises NoFreeAddress, AddressTaken, or InvalidInput for a wish outside.
    """
    edges = _edges(subnet)
    if wanted is not None:
        if wanted not in subnet or wanted in edges:
            raise InvalidInput(
                f"invalid address {wanted}: it does not belong to any of this network's subnets ({subnet})"
            )
        if wanted in taken:
            raise AddressTaken("Address already in use")
        return wanted
    first, last = _span(ip_range)
    for number in range(max(first, since), last + 1):
        address = type(subnet.network_address)(number)
        if address not in taken and address not in edges:
            return address
    raise NoFreeAddress(f"no address of {ip_range} is free")


def _edges(subnet: AnyNetwork) -> tuple[AnyAddress, ...]:
    """What no host may have: RFC 1122, section 3.2.1.3, and the anycast address of RFC 4291, section 2.6.1."""
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        return ()
    if isinstance(subnet, IPv4Network):
        return (subnet.network_address, subnet.broadcast_address)
    return (subnet.network_address,)


class Leases:
    """The addresses that are out, by network; in memory, in step with the store.

    What was found to be out is not looked at again: the next address of a full network costs what the first one does.
    """

    def __init__(self) -> None:
        self._used: dict[str, set[AnyAddress]] = {}
        self._full_below: dict[str, dict[AnyNetwork, int]] = {}

    def choose(self, network: Network, version: int, wanted: AnyAddress | None = None) -> tuple[AnyAddress, Subnet]:
        """A free address of *network*, and the subnet that it is of.

        Raises NoFreeAddress, AddressTaken, InvalidInput when *wanted* is in no subnet.
        """
        subnets = [each for each in network.active if each.network.version == version]
        if wanted is not None:
            subnets = [each for each in subnets if wanted in each.network]
        for each in subnets:
            try:
                return self._choose(network, each, wanted), each
            except NoFreeAddress:
                continue
        if subnets:
            raise NoFreeAddress(
                f"no available IPv{version} addresses on this network's address pools: {network.name} ({network.id})"
            )
        raise InvalidInput(
            f"invalid address {wanted}: it does not belong to any of this network's subnets"
            if wanted is not None
            else f"network {network.name} has no IPv{version} subnet"
        )

    def take(self, network_id: str, addresses: Iterable[str]) -> None:
        """Note that these are out."""
        self._used.setdefault(network_id, set()).update(_parsed(addresses))

    def give_back(self, network_id: str, addresses: Iterable[str]) -> None:
        """Note that these are free; what was free already is no error."""
        used = self._used.get(network_id)
        if used is None:
            return
        freed = set(_parsed(addresses))
        used.difference_update(freed)
        full_below = self._full_below.get(network_id, {})
        for part, below in full_below.items():
            full_below[part] = min([below, *(int(each) for each in freed if each in part)])

    def _choose(self, network: Network, subnet: Subnet, wanted: AnyAddress | None) -> AnyAddress:
        part = ipaddress.ip_network(subnet.ip_range) if subnet.ip_range else subnet.network
        full_below = self._full_below.setdefault(network.id, {})
        taken = self._taken(network, subnet)
        chosen = choose_address(subnet.network, part, taken, wanted, full_below.get(part, 0))
        if wanted is None:
            full_below[part] = int(chosen)
        return chosen

    def _taken(self, network: Network, subnet: Subnet) -> set[AnyAddress]:
        used = self._used.setdefault(network.id, set())
        used.update(_parsed((subnet.gateway, network.bridge_address, *subnet.auxiliary.values())))
        return used


def _parsed(addresses: Iterable[str]) -> Iterator[AnyAddress]:
    return (ipaddress.ip_address(address) for address in addresses if address)
