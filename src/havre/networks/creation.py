"""From the wish for a network to its record: everything is refused or chosen here. Pure."""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from havre.base.errors import Forbidden, InvalidInput, NotFound, NotSupported
from havre.networks.ipam import AnyAddress, AnyNetwork, choose_subnet
from havre.networks.model import BUILT_IN, AddressPool, Network, NetworkTaken, Subnet
from havre.networks.options import parse_options, parse_parent

_DRIVERS: Final = frozenset({"bridge", "macvlan", "ipvlan"})
_SINGLE: Final = frozenset({"host", "null"})
_NAME_LIMIT: Final = 256


class NoSuchDriver(NotFound):
    """No driver for networks has this name."""


class PoolOverlap(Forbidden):
    """A subnet is in use by another network."""


@dataclass(frozen=True, slots=True)
class SubnetWish:
    """A subnet as it was asked for; empty texts are left to us."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    auxiliary: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkWish:
    """A network as it was asked for."""

    name: str
    driver: str = ""
    subnets: tuple[SubnetWish, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    ipv4: bool = True
    ipv6: bool = False
    scope: str = ""
    ipam_driver: str = ""
    ipam_options: Mapping[str, str] | None = None
    config_only: bool = False
    config_from: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a new network must not disturb: the networks that are there, and where the host's routes lead."""

    networks: Collection[Network]
    routed: Collection[AnyNetwork]
    pools: tuple[AddressPool, ...]
    defaults: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def plan_network(wish: NetworkWish, identifier: str, created_ns: int, mac: str, around: Surroundings) -> Network:
    """The record of a new network; its subnets are chosen where the wish leaves them open.

    Raises InvalidInput, Forbidden, NoSuchDriver, NotSupported, PoolOverlap, NoFreeAddress.
    """
    driver = wish.driver or "bridge"
    _check(wish, driver, around)
    options = {**(around.defaults.get(driver, {}) if not wish.config_only else {}), **wish.options}
    wishes = _families(wish)
    subnets = () if wish.config_only else _subnets(wishes, around)
    bridged = driver == "bridge" and not wish.config_only
    parsed = parse_options(options, internal=wish.internal) if bridged else None
    name = (parsed.name or f"br-{identifier[:12]}") if parsed is not None else ""
    _check_bridge_name(name, identifier, around)
    return Network(
        id=identifier,
        name=wish.name,
        driver=driver,
        created_ns=created_ns,
        subnets=subnets or tuple(_as_asked(each) for each in wish.subnets),
        chosen=any(each.subnet for each in wish.subnets),
        bridge_name=name,
        bridge_mac=mac if bridged else "",
        parent=parse_parent(driver, options)[0] if driver in {"macvlan", "ipvlan"} and not wish.config_only else "",
        options=dict(options),
        labels=dict(wish.labels),
        internal=wish.internal,
        attachable=wish.attachable,
        ipv4=wish.ipv4,
        ipv6=wish.ipv6,
        config_only=wish.config_only,
        config_from=wish.config_from,
        ipam_driver=wish.ipam_driver or "default",
        ipam_options=None if wish.ipam_options is None else dict(wish.ipam_options),
    )


def from_config(wish: NetworkWish, config: Network) -> NetworkWish:
    """*wish* with the configuration that the config-only network holds. Raises InvalidInput."""
    if not config.config_only:
        raise Forbidden(f'configuration network "{config.name}" does not exist')
    if wish.subnets or wish.options or wish.labels or wish.internal or wish.ipv6:
        raise InvalidInput(
            "user specified configurations are not supported if the network depends on a configuration network"
        )
    return NetworkWish(
        name=wish.name,
        driver=wish.driver,
        subnets=tuple(SubnetWish(s.subnet, s.ip_range, s.gateway, s.auxiliary) for s in config.subnets),
        options=config.options,
        labels=config.labels,
        internal=config.internal,
        attachable=wish.attachable,
        ipv4=config.ipv4,
        ipv6=config.ipv6,
        ipam_driver=config.ipam_driver,
        ipam_options=config.ipam_options,
        config_from=config.name,
    )


def _check(wish: NetworkWish, driver: str, around: Surroundings) -> None:
    if not wish.name.strip() or len(wish.name) > _NAME_LIMIT or not wish.name.isprintable() or "/" in wish.name:
        raise InvalidInput(f"invalid network name: {wish.name[:64]!r}")
    if wish.name in BUILT_IN | {"default"}:
        raise Forbidden(f"operation is not permitted on predefined {wish.name} network")
    if any(network.name == wish.name for network in around.networks):
        raise NetworkTaken(f"network with name {wish.name} already exists")
    if wish.config_only and wish.driver and wish.driver != "bridge":
        raise Forbidden("configuration network cannot specify a driver")
    _check_driver(wish, driver)
    if not wish.ipv4 and not wish.ipv6:
        raise InvalidInput("IPv4 or IPv6 must be enabled")


def _check_driver(wish: NetworkWish, driver: str) -> None:
    if driver in _SINGLE:
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver == "overlay" or wish.scope not in {"", "local"}:
        raise NotSupported("overlay networks and scopes beyond this host need swarm mode, which havre does not offer")
    if driver not in _DRIVERS:
        name = driver[:64]
        raise NoSuchDriver(f'could not find plugin {name} in v1 plugin registry: plugin "{name}" not found')
    if wish.ipam_driver not in {"", "default"}:
        raise NoSuchDriver(f'plugin "{wish.ipam_driver[:64]}" not found')


def _check_bridge_name(name: str, identifier: str, around: Surroundings) -> None:
    for other in around.networks:
        if name and other.bridge_name == name:
            raise Forbidden(
                f"cannot create network {identifier} ({name}): conflicts with network {other.id} ({name}): "
                "networks have same bridge name"
            )


def _families(wish: NetworkWish) -> list[SubnetWish]:
    """The subnets that were asked for; for a family without one, one to be chosen."""
    problems: list[str] = []
    kept: list[SubnetWish] = []
    versions = set()
    for each in wish.subnets:
        if not each.subnet:
            kept.append(each)
            versions.add(4)
            continue
        version = _check_subnet(each, problems)
        kept.append(each)
        versions.add(version)
    if problems:
        raise InvalidInput("invalid network config:\n" + "\n".join(problems))
    for version, wanted in ((4, wish.ipv4), (6, wish.ipv6)):
        if wanted and version not in versions:
            kept.append(SubnetWish(subnet=f"any{version}"))
    return kept


def _check_subnet(wish: SubnetWish, problems: list[str]) -> int:
    try:
        subnet = ipaddress.ip_network(wish.subnet, strict=False)
    except ValueError:
        subnet = None
    if subnet is None or "/" not in wish.subnet:
        problems.append(f"invalid subnet {wish.subnet[:64]}: invalid CIDR block notation")
        return 0
    if wish.ip_range and (problem := _range_problem(wish.ip_range, subnet)):
        problems.append(f"invalid ip-range {wish.ip_range[:64]}: {problem}")
    if wish.gateway and (problem := _address_problem(wish.gateway, subnet)):
        problems.append(f"invalid gateway {wish.gateway[:64]}: {problem}")
    for name, address in wish.auxiliary.items():
        if problem := _address_problem(address, subnet):
            problems.append(f"invalid auxiliary address {name[:64]}: {problem}")
    return subnet.version


def _range_problem(text: str, subnet: AnyNetwork) -> str:
    try:
        part = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "invalid CIDR block notation"
    if part.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    if part.prefixlen < subnet.prefixlen:
        return f"CIDR block is bigger than its parent subnet {subnet}"
    return "" if part.network_address in subnet else f"parent subnet {subnet} doesn't contain ip-range"


def _address_problem(text: str, subnet: AnyNetwork) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "invalid address"
    if address.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    return "" if address in subnet else f"parent subnet {subnet} doesn't contain this address"


def _subnets(wishes: list[SubnetWish], around: Surroundings) -> tuple[Subnet, ...]:
    """The subnets, those asked for first in their order of taking, so that none is chosen across them."""
    used = [each.network for other in around.networks if not other.config_only for each in other.subnets]
    asked = [_network(each.subnet) for each in wishes if _is_given(each)]
    for at, subnet in enumerate(asked):
        if any(subnet.version == other.version and subnet.overlaps(other) for other in (*used, *asked[:at])):
            raise PoolOverlap("invalid pool request: Pool overlaps with other one on this address space")
    taken = [*used, *asked, *around.routed]
    made = []
    for wish in wishes:
        if _is_given(wish):
            made.append(_filled(wish, _network(wish.subnet)))
            continue
        subnet = choose_subnet(around.pools, taken, 6 if wish.subnet == "any6" else 4)
        taken.append(subnet)
        made.append(_filled(SubnetWish(gateway=wish.gateway, auxiliary=wish.auxiliary), subnet))
    return tuple(sorted(made, key=lambda each: each.network.version))


def _network(text: str) -> AnyNetwork:
    """A subnet, of which any address may have been named, as Docker takes it."""
    return ipaddress.ip_network(text, strict=False)


def _is_given(wish: SubnetWish) -> bool:
    return bool(wish.subnet) and not wish.subnet.startswith("any")


def _filled(wish: SubnetWish, subnet: AnyNetwork) -> Subnet:
    taken = {ipaddress.ip_address(address) for address in wish.auxiliary.values()}
    part = _network(wish.ip_range) if wish.ip_range else subnet
    return Subnet(
        subnet=str(subnet),
        ip_range=str(part) if part != subnet else "",
        gateway=wish.gateway or str(_first_host(subnet, part, taken)),
        shown=bool(wish.gateway) or not wish.subnet,
        auxiliary=dict(wish.auxiliary),
    )


def _first_host(subnet: AnyNetwork, part: AnyNetwork, taken: Collection[AnyAddress]) -> AnyAddress:
    """The gateway when nobody names one: the first address that is handed out."""
    first = int(part.network_address)
    if part.network_address == subnet.network_address and subnet.prefixlen < subnet.max_prefixlen - 1:
        first += 1
    address = type(subnet.network_address)(first)
    while address in taken:
        address += 1
    return address


def _as_asked(wish: SubnetWish) -> Subnet:
    return Subnet(wish.subnet, wish.ip_range, wish.gateway, bool(wish.gateway), dict(wish.auxiliary))
