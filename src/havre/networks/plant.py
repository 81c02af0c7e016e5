"""What stands before the first sandbox comes: the default networks' records, the bridge, forwarding, the rules."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Network
from pathlib import Path

from havre.base.clock import now_ns
from havre.base.errors import InvalidInput
from havre.base.ids import new_id
from havre.kernel.netlink.addresses import list_addresses
from havre.kernel.netlink.connection import NETLINK_NETFILTER, Netlink
from havre.kernel.netlink.links import Link, find_link, random_mac
from havre.kernel.netlink.routes import list_routes
from havre.kernel.nft import Nft
from havre.kernel.procfs import Proc, open_mounted_proc
from havre.networks.catalogue import Catalogue
from havre.networks.firewall import Firewall
from havre.networks.flows import Flows
from havre.networks.forwarding import Forwarding
from havre.networks.host_firewall import HostFirewall
from havre.networks.ipam import AnyNetwork, Leases, check_range, choose_subnet, first_host
from havre.networks.media import Media, Workshop
from havre.networks.model import BRIDGE, HOST, NONE, AddressPool, Network, Settings, Subnet
from havre.networks.naming import Naming
from havre.networks.publishing import Publisher
from havre.networks.relay import Relay
from havre.networks.reservations import Reservations
from havre.networks.sandboxes import Undertaker, WarmPool
from havre.networks.store import Store

_WIDEST_ROUTE = 8
"""A wider route is a way to the rest of the world cut in two, as VPNs do, and no place."""
_OPTION = "com.docker.network."


@dataclass(frozen=True, slots=True)
class Plant:
    """All that sandboxes are connected with. *strangers_dropped* are the versions of IP that only we forward here."""

    settings: Settings
    store: Store
    netlink: Netlink
    proc: Proc
    catalogue: Catalogue
    media: Media
    leases: Leases
    firewall: Firewall | None
    host_firewall: HostFirewall | None
    flows: Flows | None
    pool: WarmPool
    undertaker: Undertaker
    publisher: Publisher
    naming: Naming
    forwarding: Forwarding
    netns_folder: Path
    closing: ExitStack

    def close(self) -> None:
        """Give back what belongs to this process; bridges, rules and connected sandboxes stay."""
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
        catalogue = Catalogue(store, _networks(settings, store, netlink))
        media = Media(Workshop(netlink, proc, settings))
        media.add(catalogue.get(BRIDGE))
        mark, drop = exec_root / "network-forwarding", settings.ip_forward_drop
        forwarding = Forwarding(proc, mark, wanted=settings.ip_forward, drop=drop)
        for version in (4, 6) if settings.ipv6 else (4,):
            forwarding.enable(version)
        firewall = Firewall(Nft()) if settings.firewall else None
        if firewall is not None:
            undo.callback(firewall.close)
        host_firewall = _host_firewall(settings)
        if host_firewall is not None:
            undo.callback(host_firewall.close)
        flows = Flows(undo.enter_context(Netlink(NETLINK_NETFILTER))) if settings.firewall else None
        undertaker = Undertaker()
        undo.callback(undertaker.close)
        pool = WarmPool(settings.warm)
        undo.callback(pool.close)
        relay = Relay()
        undo.callback(relay.close)
        held = Reservations(relay)
        undo.callback(held.close)
        naming = Naming(catalogue.by_id)
        undo.callback(naming.close)
        closing = undo.pop_all()
    return Plant(
        settings=settings,
        store=store,
        netlink=netlink,
        proc=proc,
        catalogue=catalogue,
        media=media,
        leases=Leases(),
        firewall=firewall,
        host_firewall=host_firewall,
        flows=flows,
        pool=pool,
        undertaker=undertaker,
        publisher=Publisher(held, settings.default_binding, catalogue.by_id),
        naming=naming,
        forwarding=forwarding,
        netns_folder=netns_folder,
        closing=closing,
    )


def _host_firewall(settings: Settings) -> HostFirewall | None:
    followed = settings.firewall and not settings.past_firewall
    return HostFirewall(Nft(), settings.open_ports) if followed else None


def bridge_interface(
    settings: Settings, kept: Network | None, present: IPv4Interface | None, routed: Collection[AnyNetwork]
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
        if not any(other.version == 4 and before.network.overlaps(other) for other in routed):
            return before
    chosen = choose_subnet(settings.pools, routed)
    return first_host(IPv4Network(str(chosen)))


def _networks(settings: Settings, store: Store, netlink: Netlink) -> list[Network]:
    """All networks; the three that always exist come first, and their ids are made once."""
    kept = {network.name: network for network in store.networks()}
    wanted = {BRIDGE: _bridge_network(settings, kept, netlink)}
    for name, driver in ((HOST, "host"), (NONE, "null")):
        wanted[name] = kept.get(name) or Network(id=new_id(), name=name, driver=driver, created_ns=now_ns())
    for name, network in wanted.items():
        if kept.get(name) != network:
            store.save_network(network)
    return [*wanted.values(), *(network for name, network in kept.items() if name not in wanted)]


def _bridge_network(settings: Settings, everyone: Mapping[str, Network], netlink: Netlink) -> Network:
    kept = everyone.get(BRIDGE)
    link = find_link(netlink, settings.bridge_name)
    present = _address_of(netlink, link) if link is not None else None
    own_index = link.index if link is not None else 0
    others = [subnet.network for each in everyone.values() if each.name != BRIDGE for subnet in each.subnets]
    routed = [*routed_elsewhere(netlink, {own_index}), *others]
    interface = bridge_interface(settings, kept, present, routed)
    ip_range = check_range(interface.network, settings.fixed_cidr)
    gateway = settings.default_gateway or interface.ip
    if gateway not in interface.network:
        raise InvalidInput(f"invalid default-gateway: {gateway} is not in the bridge's subnet {interface.network}")
    identifier = kept.id if kept is not None else new_id()
    return Network(
        id=identifier,
        name=BRIDGE,
        driver="bridge",
        created_ns=kept.created_ns if kept is not None else now_ns(),
        subnets=(
            Subnet(
                subnet=str(interface.network),
                ip_range=str(ip_range) if settings.fixed_cidr is not None else "",
                gateway=str(gateway),
            ),
            *_bridge_subnet6(settings, identifier, routed),
        ),
        ipv6=settings.ipv6,
        bridge_address=str(interface.ip),
        bridge_name=settings.bridge_name,
        bridge_mac=kept.bridge_mac if kept is not None else random_mac(),
        options=_bridge_options(settings),
    )


def _bridge_subnet6(settings: Settings, identifier: str, taken: Collection[AnyNetwork]) -> tuple[Subnet, ...]:
    """The IPv6 half of the default bridge. Raises InvalidInput, NoFreeAddress."""
    if not settings.ipv6:
        return ()
    told, part = settings.bridge_interface6, settings.fixed_cidr6
    if told is None:
        subnet = part or choose_subnet((own_pool(identifier),), taken, 6)
        return (Subnet(str(subnet), gateway=str(subnet.network_address + 1)),)
    if part is not None and not part.subnet_of(told.network):
        raise InvalidInput(f"invalid fixed-cidr-v6: {part} is not a part of the bridge's subnet {told.network}")
    return (Subnet(str(told.network), str(part) if part is not None else "", str(told.ip)),)


def own_pool(bridge_id: str) -> AddressPool:
    """Where IPv6 subnets come from when nobody says otherwise: a prefix of this host's own, RFC 4193."""
    return AddressPool(IPv6Network((b"\xfd" + bytes.fromhex(bridge_id[:10]) + bytes(10), 48)), 64)


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


def routed_elsewhere(netlink: Netlink, own: Collection[int]) -> list[IPv4Network | IPv6Network]:
    """Where the links of this host lead that are not in *own*; loopback and addresses of one link alone left out."""
    return [
        route.destination
        for route in list_routes(netlink)
        if route.destination.prefixlen >= _WIDEST_ROUTE
        and route.index not in own
        and not route.destination.is_link_local
        and not route.destination.is_loopback
        and not route.destination.is_multicast
    ]
