"""What stands before the first sandbox comes: the default networks' records, the bridge, forwarding, the rules."""

import logging
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from havre.base.clock import now_ns
from havre.base.errors import InvalidInput
from havre.base.ids import new_id
from havre.kernel.netlink.addresses import list_addresses
from havre.kernel.netlink.connection import Netlink
from havre.kernel.netlink.links import Link, find_link, random_mac
from havre.kernel.netlink.routes import list_routes
from havre.kernel.nft import Nft
from havre.kernel.procfs import Proc, open_mounted_proc
from havre.networks.bridge import Bridge, BridgePlan
from havre.networks.firewall import BridgeRules, Firewall, Wanted
from havre.networks.ipam import check_range, choose_subnet, first_host
from havre.networks.model import BRIDGE, HOST, NONE, Network, Settings
from havre.networks.relay import Relay
from havre.networks.reservations import Reservations
from havre.networks.sandboxes import Undertaker, WarmPool
from havre.networks.store import Store

_log = logging.getLogger(__name__)
_FORWARDING = "net/ipv4/ip_forward"
_WIDEST_ROUTE = 8
"""A wider route is a way to the rest of the world cut in two, as VPNs do, and no place."""
_OPTION = "com.docker.network."


@dataclass(frozen=True, slots=True)
class Plant:
    """All that sandboxes are connected with. *rules* names the bridges; the guards of sandboxes come on top."""

    store: Store
    netlink: Netlink
    bridge: Bridge
    firewall: Firewall | None
    pool: WarmPool
    undertaker: Undertaker
    networks: Mapping[str, Network]
    rules: Wanted
    netns_folder: Path
    reservations: Reservations
    default_binding: str
    closing: ExitStack

    def close(self) -> None:
        """Give back what belongs to this process; bridge, rules and connected sandboxes stay."""
        self.closing.close()


def build_plant(settings: Settings, data_folder: Path, exec_root: Path) -> Plant:
    """Make or find everything, in the network namespace of the calling thread.

    Raises InvalidInput, Conflict, NoFreeAddress, KernelError; then nothing of this process is left open.
    """
    with ExitStack() as undo:
        netns_folder = exec_root / "netns"
        netns_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Store(data_folder)
        undo.callback(store.close)
        netlink = undo.enter_context(Netlink())
        proc = open_mounted_proc()
        undo.callback(proc.close)
        networks = _default_networks(settings, store, netlink)
        bridge = Bridge(netlink, proc, _bridge_plan(settings, networks[BRIDGE]))
        bridge.ensure()
        ours = settings.ip_forward and _enable_forwarding(proc, exec_root / "network-forwarding")
        firewall = Firewall(Nft()) if settings.firewall else None
        if firewall is not None:
            undo.callback(firewall.close)
        undertaker = Undertaker()
        undo.callback(undertaker.close)
        pool = WarmPool(settings.warm)
        undo.callback(pool.close)
        rules = _rules(settings, networks[BRIDGE], strangers_dropped=ours)
        relay = Relay()
        undo.callback(relay.close)
        held = Reservations(relay)
        undo.callback(held.close)
        closing = undo.pop_all()
    return Plant(
        store=store,
        netlink=netlink,
        bridge=bridge,
        firewall=firewall,
        pool=pool,
        undertaker=undertaker,
        networks=networks,
        rules=rules,
        netns_folder=netns_folder,
        reservations=held,
        default_binding=settings.default_binding,
        closing=closing,
    )


def bridge_interface(
    settings: Settings, kept: Network | None, present: IPv4Interface | None, routed: Collection[IPv4Network]
) -> IPv4Interface:
    """The address of the default bridge: as told, as it stands in the kernel, as last time, or from a free pool.

    *routed* is where other links of this host lead. Raises InvalidInput, NoFreeAddress.
    """
    if (told := settings.bridge_interface) is not None:
        if told.network.prefixlen > 30 or told.ip in {told.network.network_address, told.network.broadcast_address}:
            raise InvalidInput(f"invalid bip: {told} is not the address of a host in its network")
        return told
    if present is not None:
        return present
    if kept is not None and kept.subnet:
        before = IPv4Interface((kept.bridge_address, IPv4Network(kept.subnet).prefixlen))
        if not any(before.network.overlaps(other) for other in routed):
            return before
    return first_host(choose_subnet(settings.pools, routed))


def _default_networks(settings: Settings, store: Store, netlink: Netlink) -> dict[str, Network]:
    """The three networks that always exist; their ids are made once."""
    kept = {network.name: network for network in store.networks()}
    wanted = {BRIDGE: _bridge_network(settings, kept.get(BRIDGE), netlink)}
    for name, driver in ((HOST, "host"), (NONE, "null")):
        wanted[name] = kept.get(name) or Network(id=new_id(), name=name, driver=driver, created_ns=now_ns())
    for name, network in wanted.items():
        if kept.get(name) != network:
            store.save_network(network)
    return wanted


def _bridge_network(settings: Settings, kept: Network | None, netlink: Netlink) -> Network:
    link = find_link(netlink, settings.bridge_name)
    present = _address_of(netlink, link) if link is not None else None
    own_index = link.index if link is not None else 0
    routed = [
        route.destination
        for route in list_routes(netlink)
        if route.destination.prefixlen >= _WIDEST_ROUTE and (not own_index or route.index != own_index)
    ]
    interface = bridge_interface(settings, kept, present, routed)
    ip_range = check_range(interface.network, settings.fixed_cidr)
    gateway = settings.default_gateway or interface.ip
    if gateway not in interface.network:
        raise InvalidInput(f"invalid default-gateway: {gateway} is not in the bridge's subnet {interface.network}")
    return Network(
        id=kept.id if kept is not None else new_id(),
        name=BRIDGE,
        driver="bridge",
        created_ns=kept.created_ns if kept is not None else now_ns(),
        subnet=str(interface.network),
        gateway=str(gateway),
        bridge_address=str(interface.ip),
        ip_range=str(ip_range) if settings.fixed_cidr is not None else "",
        bridge_name=settings.bridge_name,
        bridge_mac=kept.bridge_mac if kept is not None else random_mac(),
        options=_bridge_options(settings),
    )


def _bridge_options(settings: Settings) -> dict[str, str]:
    return {
        f"{_OPTION}bridge.default_bridge": "true",
        f"{_OPTION}bridge.enable_icc": str(settings.icc).lower(),
        f"{_OPTION}bridge.enable_ip_masquerade": str(settings.masquerade).lower(),
        f"{_OPTION}bridge.host_binding_ipv4": settings.default_binding,
        f"{_OPTION}bridge.name": settings.bridge_name,
        f"{_OPTION}driver.mtu": str(settings.mtu),
    }


def _address_of(netlink: Netlink, link: Link) -> IPv4Interface | None:
    found = (address for address in list_addresses(netlink) if address.index == link.index)
    return next((each.interface for each in found if isinstance(each.interface, IPv4Interface)), None)


def _bridge_plan(settings: Settings, network: Network) -> BridgePlan:
    prefix = IPv4Network(network.subnet).prefixlen
    return BridgePlan(
        name=network.bridge_name,
        network_id=network.id,
        interface=IPv4Interface((IPv4Address(network.bridge_address), prefix)),
        mac=network.bridge_mac,
        mtu=settings.mtu,
        isolated=not settings.icc,
        loopback_routed=settings.firewall,
    )


def _rules(settings: Settings, network: Network, *, strangers_dropped: bool) -> Wanted:
    bridge = BridgeRules(
        bridge_name=network.bridge_name,
        subnet=IPv4Network(network.subnet),
        talking=settings.icc,
        masquerade=settings.masquerade,
    )
    return Wanted((bridge,), strangers_dropped=strangers_dropped, guards=() if settings.spoof_guard else None)


def _enable_forwarding(proc: Proc, mark: Path) -> bool:
    """Switch IPv4 forwarding on; tells whether it is on because of us.

    *mark* remembers that across restarts of the daemon, and like the setting itself not across a boot.
    """
    if proc.read(f"sys/{_FORWARDING}").strip() == b"0":
        mark.touch(mode=0o600)
        proc.write_sysctl(_FORWARDING, "1")
        _log.info("IPv4 forwarding was off on this host; it is on now, and what is not of our networks is dropped")
    return mark.exists()
