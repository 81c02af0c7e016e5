"""The values of this room: settings, networks, what a sandbox wishes and what it got. Nothing here does I/O."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import msgspec

from havre.base.errors import Conflict, HavreError, InvalidInput, NotFound, ResourceExhausted

BRIDGE, HOST, NONE = "bridge", "host", "none"
"""Names of the three networks that always exist."""

SHARED_PREFIX = "container:"
"""Begins the wish for a namespace that already exists; its path follows."""

LINK_MARK = "havre:"
"""Begins the alias of every link that this room makes; the sandbox's id follows."""

CONTAINER_LINK = "eth0"
CONTAINER_LINK_INDEX = 2
"""The index of eth0: a fresh namespace has `lo` as 1 and nothing else."""


class NoSuchNetwork(NotFound):
    """No network has this name or id."""


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

    base: IPv4Network
    size: int

    def __post_init__(self) -> None:
        if not self.base.prefixlen <= self.size <= 30:
            raise InvalidInput(f"invalid address pool: {self.base} cannot be cut into pieces of /{self.size}")


DEFAULT_POOLS = (
    *(AddressPool(IPv4Network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    AddressPool(IPv4Network("192.168.0.0/16"), 20),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The daemon's wishes, named after dockerd's flags.

    *bridge_interface* is the default bridge with its own address (`bip`), None takes the first free pool;
    *fixed_cidr* narrows what is handed out; *firewall* false (`--iptables=false`) writes no rule at all;
    *spoof_guard* lets a sandbox send with its own addresses only; *warm* namespaces are made in advance.
    """

    bridge_name: str = "havre0"
    bridge_interface: IPv4Interface | None = None
    fixed_cidr: IPv4Network | None = None
    default_gateway: IPv4Address | None = None
    pools: tuple[AddressPool, ...] = DEFAULT_POOLS
    mtu: int = 1500
    icc: bool = True
    masquerade: bool = True
    ip_forward: bool = True
    firewall: bool = True
    spoof_guard: bool = True
    default_binding: str = "0.0.0.0"
    warm: int = 3


class Network(msgspec.Struct, frozen=True):
    """A network as it is kept on disk. Texts of addresses are empty where it has none."""

    id: str
    name: str
    driver: str
    created_ns: int
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    bridge_address: str = ""
    bridge_name: str = ""
    bridge_mac: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    scope: str = "local"
    internal: bool = False


class Attachment(msgspec.Struct, frozen=True):
    """How one sandbox is on one network: all that `inspect` shows of it.

    *namespace_id* is what the Engine API calls SandboxID, *netns_path* its SandboxKey: empty for the host's
    namespace. *host_link* is our end of the cable. A sandbox that shares another's namespace has no network,
    no endpoint and no addresses of its own.
    """

    sandbox_id: str
    network_name: str
    network_id: str = ""
    endpoint_id: str = ""
    namespace_id: str = ""
    netns_path: str = ""
    ip_address: str = ""
    ip_prefix_len: int = 0
    gateway: str = ""
    mac_address: str = ""
    ipv6_address: str = ""
    ipv6_prefix_len: int = 0
    ipv6_gateway: str = ""
    host_link: str = ""
    any_source: bool = False
    ports: tuple[PublishedPort, ...] = ()

    @property
    def interface(self) -> IPv4Interface:
        """Address and prefix as one value; only for an attachment that has an address."""
        return IPv4Interface((self.ip_address, self.ip_prefix_len))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for one sandbox.

    *network* is a name or id, or `container:` and the path of a namespace. *any_source* lets the sandbox
    send with addresses that are not its own: for those that may administer their network anyway.
    """

    network: str = BRIDGE
    mac_address: str = ""
    ip_address: str = ""
    any_source: bool = False
    name: str = ""
    ports: tuple[PortWish, ...] = ()


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
