"""The values of this room: settings, networks, what a sandbox wishes and what it got. Nothing here does I/O."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

import msgspec

from havre.base.errors import Conflict, Forbidden, HavreError, InvalidInput, NotFound, ResourceExhausted

BRIDGE, HOST, NONE = "bridge", "host", "none"
BUILT_IN = frozenset({BRIDGE, HOST, NONE})
"""Names of the three networks that always exist."""

LINK_MARK = "havre:"
"""Begins the alias of every link that this room makes; the sandbox's id follows."""

RESOLVER = "127.0.0.11"
"""Where the name server of a sandbox is found, as Docker has it."""

FIRST_LINK_INDEX = 2
"""The index of the first link: a fresh namespace has `lo` as 1 and nothing else."""


class NoSuchNetwork(NotFound):
    """No network has this name or id."""


class NetworkTaken(Conflict):
    """Another network has the name."""


class NetworkInUse(Forbidden):
    """Sandboxes are on the network."""


class NoFreeAddress(ResourceExhausted):
    """Every address that the network may hand out is taken."""


class AddressTaken(Conflict):
    """The address that was asked for belongs to another sandbox."""


class AlreadyAttached(Conflict):
    """The sandbox has its attachment."""


class NetworkFailed(HavreError):
    """The kernel refused a step of making, attaching or repairing a network."""


class PortBusy(NetworkFailed):
    """A port of the host that was asked for is taken."""


class PublishedPort(msgspec.Struct, frozen=True):
    """What arrives at this port of the host goes to *port* of the sandbox."""

    host_ip: str
    host_port: int
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class PortWish:
    """One port of the host between *first* and *last*, any when *first* is 0, the same at each of *host_ips*."""

    host_ips: tuple[str, ...]
    first: int
    last: int
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Where subnets for networks are cut from: *base* in pieces of prefix length *size*."""

    base: IPv4Network | IPv6Network
    size: int

    def __post_init__(self) -> None:
        if not self.base.prefixlen <= self.size <= self.base.max_prefixlen - 2:
            raise InvalidInput(f"invalid address pool: {self.base} cannot be cut into pieces of /{self.size}")


DEFAULT_POOLS = (
    *(AddressPool(IPv4Network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    AddressPool(IPv4Network("192.168.0.0/16"), 20),
    AddressPool(IPv4Network("10.192.0.0/10"), 24),
)
"""Docker's own, and after them room for sixteen thousand small networks more."""


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """Ports that are published whatever the host's own rules say."""

    protocol: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The daemon's wishes, named after dockerd's flags.

    *bridge_interface* is the default bridge with its own address (`bip`), None takes the first free pool; *ipv6* gives
    it IPv6 too, as told or from a prefix of the host's own; *fixed_cidr* narrows what is handed out. Without
    *ip_forward_drop* a host that forwards because of us forwards everything; with *direct_routing* hosts outside may
    name addresses behind a bridge. *firewall* false (`--iptables=false`) writes no rule at all; *spoof_guard* lets a
    sandbox send with its own addresses only; *warm* namespaces are made in advance. *network_options* are the options
    of new networks, by driver. *past_firewall* publishes ports whatever the host's own input rules say, as Docker
    does; without it only *open_ports* are.
    """

    bridge_name: str = "havre0"
    bridge_interface: IPv4Interface | None = None
    fixed_cidr: IPv4Network | None = None
    default_gateway: IPv4Address | None = None
    ipv6: bool = False
    bridge_interface6: IPv6Interface | None = None
    fixed_cidr6: IPv6Network | None = None
    pools: tuple[AddressPool, ...] = DEFAULT_POOLS
    mtu: int = 1500
    icc: bool = True
    masquerade: bool = True
    ip_forward: bool = True
    ip_forward_drop: bool = True
    direct_routing: bool = False
    firewall: bool = True
    spoof_guard: bool = True
    default_binding: str = "0.0.0.0"
    warm: int = 3
    network_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    past_firewall: bool = False
    open_ports: tuple[OpenPorts, ...] = ()


class Subnet(msgspec.Struct, frozen=True):
    """One subnet of a network. *auxiliary* are addresses that others use there, by names of the user's.

    *shown* tells that `inspect` names the gateway: it was asked for, or all was left to us.
    """

    subnet: str
    ip_range: str = ""
    gateway: str = ""
    shown: bool = True
    auxiliary: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """The subnet as a value."""
        return ipaddress.ip_network(self.subnet)


class Network(msgspec.Struct, frozen=True):
    """A network as it is kept on disk.

    *chosen* tells that the user named the subnets. *bridge_address* is the host's own address where that is not the
    gateway; *parent* is the link of the host that a macvlan or ipvlan network hangs on.
    """

    id: str
    name: str
    driver: str
    created_ns: int
    subnets: tuple[Subnet, ...] = ()
    chosen: bool = False
    bridge_address: str = ""
    bridge_name: str = ""
    bridge_mac: str = ""
    parent: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    scope: str = "local"
    internal: bool = False
    attachable: bool = False
    ipv4: bool = True
    ipv6: bool = False
    config_only: bool = False
    config_from: str = ""
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None

    @property
    def active(self) -> tuple[Subnet, ...]:
        """The subnets of the versions of IP that are spoken there; others are only remembered."""
        return tuple(each for each in self.subnets if (self.ipv4 if each.network.version == 4 else self.ipv6))

    @property
    def built_in(self) -> bool:
        """Whether it is one of the three that always exist."""
        return self.name in BUILT_IN

    @property
    def named(self) -> bool:
        """Whether sandboxes find each other by name here: everywhere but on the three that always exist."""
        return not self.built_in

    @property
    def gateway(self) -> str:
        """The first IPv4 gateway."""
        return next((each.gateway for each in self.subnets if each.network.version == 4), "")

    @property
    def subnet(self) -> str:
        """The first IPv4 subnet."""
        return next((each.subnet for each in self.subnets if each.network.version == 4), "")


class Endpoint(msgspec.Struct, frozen=True):
    """How one sandbox is on one network: all that `inspect` shows of it.

    *link* is the name inside, *host_link* our end of the cable. *names* are those that neighbours find it by, *links*
    the names that it alone has for others. The priority decides among several gateways.
    """

    network_id: str
    network_name: str
    driver: str = "bridge"
    endpoint_id: str = ""
    link: str = ""
    host_link: str = ""
    mac_address: str = ""
    ip_address: str = ""
    ip_prefix_len: int = 0
    gateway: str = ""
    ipv6_address: str = ""
    ipv6_prefix_len: int = 0
    ipv6_gateway: str = ""
    link_local: tuple[str, ...] = ()
    gw_priority: int = 0
    internal: bool = False
    names: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()

    @property
    def interfaces(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """The addresses with their prefixes."""
        pairs = ((self.ip_address, self.ip_prefix_len), (self.ipv6_address, self.ipv6_prefix_len))
        own = [ipaddress.ip_interface(f"{address}/{length}") for address, length in pairs if address]
        return (*own, *(ipaddress.ip_interface(text) for text in self.link_local))


class Attachment(msgspec.Struct, frozen=True):
    """How one sandbox is connected.

    *namespace_id* is what the Engine API calls SandboxID, *netns_path* its SandboxKey: empty for the host's
    namespace. A sandbox that shares another's namespace has no endpoints of its own. *servers* are asked for the
    names that no network knows. *unsettled* is kept while the kernel is told of a change: found at a start, that
    was cut off.
    """

    sandbox_id: str
    namespace_id: str = ""
    netns_path: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    any_source: bool = False
    ports: tuple[PublishedPort, ...] = ()
    servers: tuple[str, ...] = ()
    unsettled: bool = False

    def find(self, network_id: str) -> Endpoint | None:
        """The endpoint on this network."""
        return next((each for each in self.endpoints if each.network_id == network_id), None)

    @property
    def ip_address(self) -> str:
        """The first IPv4 address."""
        return next((each.ip_address for each in self.endpoints if each.ip_address), "")


@dataclass(frozen=True, slots=True)
class Join:
    """What is asked for one sandbox on one network, which is named or given by its id.

    *links* are pairs of a name of its own and the name that another sandbox is found by.
    """

    network: str = BRIDGE
    mac_address: str = ""
    ip_address: str = ""
    ipv6_address: str = ""
    link_local: tuple[str, ...] = ()
    gw_priority: int = 0
    names: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for one sandbox.

    *shared* is the path of a namespace that it takes instead of one of its own. *any_source* lets the sandbox
    send with addresses that are not its own: for those that may administer their network anyway. *name* stands in
    messages; *servers* answer for names that no network knows.
    """

    joins: tuple[Join, ...] = (Join(),)
    shared: str = ""
    any_source: bool = False
    name: str = ""
    ports: tuple[PortWish, ...] = ()
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What `reconcile` found: sandboxes forgotten, sandboxes whose cable was made anew, and those beyond repair."""

    forgotten: tuple[str, ...] = field(default=())
    repaired: tuple[str, ...] = field(default=())
    lost: tuple[str, ...] = field(default=())


def host_link_name(endpoint_id: str) -> str:
    """The name of our end of a cable: `veth` and as much of the endpoint's id as fits.

    Not the sandbox's id: that one may be attached again while the kernel still takes its last link down.
    """
    return f"veth{endpoint_id[:11]}"


def link_mark(sandbox_id: str) -> str:
    """The alias that tells whose cable a link is."""
    return f"{LINK_MARK}{sandbox_id}"
