"""Which subnet, which address: pure choices on what is taken."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from havre.base.errors import InvalidInput
from havre.networks.model import AddressPool, AddressTaken, NoFreeAddress


def choose_subnet(pools: Iterable[AddressPool], taken: Collection[IPv4Network]) -> IPv4Network:
    """The first piece of the first pool that overlaps nothing of *taken*. Raises NoFreeAddress."""
    for pool in pools:
        for subnet in pool.base.subnets(new_prefix=pool.size):
            if not any(subnet.overlaps(other) for other in taken):
                return subnet
    raise NoFreeAddress(
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
    )


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
    subnet: IPv4Network, ip_range: IPv4Network, taken: Collection[IPv4Address], wanted: IPv4Address | None = None
) -> IPv4Address:
    """*wanted*, or the lowest address of *ip_range* that is free.

    *taken* holds the gateway too. Raises NoFreeAddress, AddressTaken, or InvalidInput for a wish outside.
    """
    edges = {subnet.network_address, subnet.broadcast_address}
    if wanted is not None:
        if wanted not in subnet or wanted in edges:
            raise InvalidInput(
                f"invalid address {wanted}: it does not belong to any of this network's subnets ({subnet})"
            )
        if wanted in taken:
            raise AddressTaken(f"Address already in use: {wanted}")
        return wanted
    used = {int(address) for address in (*taken, *edges)}
    for number in range(int(ip_range.network_address), int(ip_range.broadcast_address) + 1):
        if number not in used:
            return IPv4Address(number)
    raise NoFreeAddress(f"no available IPv4 addresses on this network's address pools: {subnet} (range {ip_range})")
