"""What an endpoint will be: chosen from a network, a wish and what is taken. Nothing is done here."""

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from havre.base.errors import Forbidden, InvalidInput
from havre.base.ids import new_id
from havre.kernel.netlink.links import mac_bytes, mac_of, random_mac
from havre.networks.ipam import AnyAddress, Leases
from havre.networks.model import BRIDGE, Endpoint, Join, Network, host_link_name
from havre.networks.options import parse_endpoint, parse_options, parse_parent

_PREFIX = "eth"


@dataclass(frozen=True, slots=True)
class Gateways:
    """The endpoints that lead to the rest of the world, by version of IP; None where there is none."""

    v4: Endpoint | None
    v6: Endpoint | None


def choose_gateways(endpoints: Iterable[Endpoint]) -> Gateways:
    """Docker's choice: the highest priority, and of equals the first network by name; never an internal one."""
    ordered = sorted(endpoints, key=lambda each: (-each.gw_priority, each.network_name))
    open_ones = [each for each in ordered if not each.internal]
    return Gateways(
        v4=next((each for each in open_ones if each.gateway), None),
        v6=next((each for each in open_ones if each.ipv6_gateway), None),
    )


def plan_endpoint(network: Network, join: Join, leases: Leases, links: Collection[str]) -> Endpoint:
    """The endpoint that *join* asks for; *links* are the names that its sandbox uses already.

    Raises InvalidInput, AddressTaken, NoFreeAddress.
    """
    wanted4, wanted6 = _address(join.ip_address, 4), _address(join.ipv6_address, 6)
    _check(network, join)
    endpoint_id = new_id()
    if network.driver in {"host", "null"}:
        return Endpoint(network.id, network.name, network.driver, endpoint_id)
    own_name, sysctls = parse_endpoint(join.options)
    name = own_name or _free_link(_prefix(network), links)
    if name in links:
        raise InvalidInput(f"interface name {name} is already in use in this container")
    has4, has6 = (any(each.network.version == version for each in network.active) for version in (4, 6))
    address4, subnet4 = leases.choose(network, 4, wanted4) if has4 else (None, None)
    address6, subnet6 = leases.choose(network, 6, wanted6) if has6 else (None, None)
    return Endpoint(
        network_id=network.id,
        network_name=network.name,
        driver=network.driver,
        endpoint_id=endpoint_id,
        link=name,
        host_link=host_link_name(endpoint_id) if network.driver == "bridge" else "",
        mac_address=_mac(join.mac_address, address4) if network.driver != "ipvlan" else "",
        ip_address=str(address4 or ""),
        ip_prefix_len=subnet4.network.prefixlen if subnet4 is not None else 0,
        gateway=subnet4.gateway if subnet4 is not None and _leads_on(network, 4) else "",
        ipv6_address=str(address6 or ""),
        ipv6_prefix_len=subnet6.network.prefixlen if subnet6 is not None else 0,
        ipv6_gateway=subnet6.gateway if subnet6 is not None and _leads_on(network, 6) else "",
        link_local=tuple(_link_local(text) for text in join.link_local),
        gw_priority=join.gw_priority,
        internal=network.internal,
        names=join.names if network.named else (),
        links=join.links if network.named else (),
        sysctls=sysctls,
    )


def _check(network: Network, join: Join) -> None:
    if network.config_only:
        raise Forbidden("cannot create endpoint on configuration-only network")
    fixed = [text for text in (join.ip_address, join.ipv6_address) if text]
    if network.driver in {"host", "null"} and (fixed or join.mac_address):
        raise InvalidInput(f"conflicting options: addresses and the network mode {network.name}")
    if not fixed or network.name == BRIDGE:
        return
    if not network.chosen:
        raise InvalidInput(
            f"invalid config for network {network.name}: invalid endpoint settings:\n"
            "user specified IP address is supported only when connecting to networks with user configured subnets"
        )
    for text in fixed:
        if not any(ipaddress.ip_address(text) in subnet.network for subnet in network.subnets):
            raise InvalidInput(
                f"invalid config for network {network.name}: invalid endpoint settings:\n"
                f"no configured subnet or ip-range contain the IP address {text}"
            )


def _leads_on(network: Network, version: int) -> bool:
    """Whether a sandbox is told of the network's gateway. On an internal bridge there is nothing behind it."""
    if network.internal:
        return False
    if network.driver == "bridge":
        options = parse_options(network.options, internal=network.internal)
        return (options.mode4 if version == 4 else options.mode6) != "isolated"
    return network.driver == "macvlan" or parse_parent(network.driver, network.options)[1] == "l2"


def _prefix(network: Network) -> str:
    if network.driver != "bridge":
        return _PREFIX
    return parse_options(network.options, internal=network.internal).prefix


def _free_link(prefix: str, links: Collection[str]) -> str:
    number = 0
    while f"{prefix}{number}" in links:
        number += 1
    return f"{prefix}{number}"


def _address(text: str, version: int) -> AnyAddress | None:
    if not text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise InvalidInput(f"invalid IPv{version} address: {text[:64]}")
    return address


def _link_local(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(f"invalid link-local IP address: {text[:64]}") from None
    if not address.is_link_local:
        raise InvalidInput(f"invalid link-local IP address: {text[:64]}")
    return f"{address}/{16 if address.version == 4 else 64}"


def _mac(text: str, address: AnyAddress | None) -> str:
    """The one that is wished; else the address's own, so that nobody who knows an address knows a wrong MAC to it."""
    if not text:
        return mac_of(address) if isinstance(address, IPv4Address) else random_mac()
    try:
        raw = mac_bytes(text.replace("-", ":"))
    except ValueError:
        raise InvalidInput(f"invalid MAC address: {text[:64]!r}") from None
    if raw[0] & 1:
        raise InvalidInput(f"invalid MAC address: {text} is a group address")
    return raw.hex(":")
