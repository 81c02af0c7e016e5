"""The kernel's side of all networks, by their ids, and the rules that each asks for."""

import ipaddress
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from havre.base.errors import HavreError
from havre.kernel.netlink.connection import Netlink
from havre.kernel.procfs import Proc
from havre.networks.bridge import Bridge, BridgePlan
from havre.networks.bridge_rules import BridgeRules
from havre.networks.medium import Medium
from havre.networks.model import Network, NetworkFailed, Settings
from havre.networks.options import BridgeOptions, parse_options
from havre.networks.sublink import SublinkMedium

_log = logging.getLogger(__name__)
_SUBLINKS: Final = frozenset({"macvlan", "ipvlan"})


@dataclass(frozen=True, slots=True)
class Workshop:
    """What media are made with."""

    netlink: Netlink
    proc: Proc
    settings: Settings


class Media:
    """For one thread at a time. Networks without a kernel side (host, none, config-only) have no medium."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._media: dict[str, Medium] = {}

    def __iter__(self) -> Iterator[Medium]:
        return iter(tuple(self._media.values()))

    def add(self, network: Network) -> None:
        """Make the network's side, or find it. Raises Conflict, NoSuchParent, KernelError."""
        medium = _medium(self._workshop, network)
        if medium is not None:
            medium.ensure()
            self._media[network.id] = medium

    def drop(self, network: Network) -> None:
        """Take the network's side away; an unknown one is no error. Raises KernelError."""
        medium = self._media.get(network.id) or _medium(self._workshop, network)
        if medium is not None:
            medium.remove()
        self._media.pop(network.id, None)

    def find(self, network_id: str) -> Medium | None:
        """The side of one network."""
        return self._media.get(network_id)

    def get(self, network_id: str) -> Medium:
        """The side of one network that has one. Raises NetworkFailed for one that could not be made."""
        medium = self._media.get(network_id)
        if medium is None:
            raise NetworkFailed(f"network {network_id} is not up on this host; the daemon's log tells why")
        return medium

    def ensure(self) -> None:
        """Make every side what its network says; what hinders one does not hinder the others, and is logged."""
        for network_id, medium in self._media.items():
            try:
                medium.ensure()
            except (HavreError, OSError) as failed:
                _log.error("network %s is not as it should be: %s", network_id, failed)


def _medium(workshop: Workshop, network: Network) -> Medium | None:
    if network.config_only:
        return None
    if network.driver == "bridge":
        return Bridge(workshop.netlink, workshop.proc, bridge_plan(workshop.settings, network))
    if network.driver in _SUBLINKS:
        mtu = parse_options(network.options, internal=network.internal).mtu
        return SublinkMedium(workshop.netlink, network, mtu)
    return None


def bridge_plan(settings: Settings, network: Network) -> BridgePlan:
    """What the bridge of *network* shall be like."""
    options = parse_options(network.options, internal=network.internal)
    return BridgePlan(
        name=network.bridge_name,
        network_id=network.id,
        interfaces=tuple(_interfaces(network, options)),
        mac=network.bridge_mac,
        mtu=options.mtu or settings.mtu,
        isolated=not options.icc,
        loopback_routed=settings.firewall and not network.internal,
    )


def _interfaces(network: Network, options: BridgeOptions) -> Iterator[IPv4Interface | IPv6Interface]:
    """The host's own addresses on the bridge."""
    for each in network.active:
        version = each.network.version
        mode = options.mode4 if version == 4 else options.mode6
        if mode == "isolated" or (version == 4 and options.addressless) or not each.gateway:
            continue
        own = network.bridge_address if version == 4 and network.bridge_address else each.gateway
        yield ipaddress.ip_interface(f"{own}/{each.network.prefixlen}")


def rules_of(network: Network, *, direct_routing: bool) -> BridgeRules | None:
    """What is allowed around *network*; None where it has no bridge.

    With *direct_routing* hosts outside may name its addresses, and then reach what is published.
    """
    if network.driver != "bridge" or network.config_only:
        return None
    options = parse_options(network.options, internal=network.internal)
    modes = {4: options.mode4, 6: options.mode6}
    return BridgeRules(
        bridge_name=network.bridge_name,
        subnets=tuple(each.network for each in network.active),
        talking=options.icc,
        outward=not network.internal,
        masked=frozenset(each for each, mode in modes.items() if options.masquerade and mode.startswith("nat")),
        direct=frozenset(
            each for each, mode in modes.items() if direct_routing or mode in {"routed", "nat-unprotected"}
        ),
        unprotected=frozenset(each for each, mode in modes.items() if mode == "nat-unprotected"),
    )
