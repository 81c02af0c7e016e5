"""The inner side of endpoints: links in a sandbox's namespace get their settings, addresses and routes."""

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from havre.kernel.libc import KernelError
from havre.kernel.netlink import links
from havre.kernel.netlink.addresses import add_address, list_addresses
from havre.kernel.netlink.codec import Request
from havre.kernel.netlink.connection import NETLINK_NETFILTER, Netlink
from havre.kernel.netlink.links import LinkChange
from havre.kernel.netlink.port_redirect import Redirect, install
from havre.kernel.netlink.routes import (
    add_default_link_route,
    add_default_route,
    delete_default_route,
    list_routes,
)
from havre.kernel.netns import run_in_netns
from havre.kernel.procfs import Proc
from havre.networks.model import RESOLVER, Endpoint
from havre.networks.planning import Gateways
from havre.networks.sandboxes import Sandbox

_PORT = 53
_TABLE = "havre_names"
_BACKLOG = 64
_CABLES = frozenset({"veth", "macvlan", "ipvlan"})


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a sandbox's name server listens, in the sandbox's namespace.

    *finish* gives back what the rules were written with: the kernel takes 3 to 15 ms for that, so it is left to a
    thread for which nobody waits.
    """

    datagrams: socket.socket
    streams: socket.socket
    finish: Callable[[], None]

    def close(self) -> None:
        """Give everything back."""
        self.datagrams.close()
        self.streams.close()
        self.finish()


def dress(sandbox: Sandbox, proc: Proc, endpoints: Sequence[Endpoint], *, served: bool) -> Doors | None:
    """Write the settings of fresh links, and with *served* open the doors of a name server.

    Raises KernelError, OSError.
    """

    def visit() -> Doors | None:
        for endpoint in endpoints:
            _settle(proc, endpoint)
        return open_doors() if served else None

    return run_in_netns(sandbox.netns_fd, visit)


def address(sandbox: Sandbox, placed: Iterable[tuple[Endpoint, int]]) -> None:
    """Give each link, which has that index, its addresses, and set it up. Raises KernelError."""
    requests: list[Request] = []
    for endpoint, index in placed:
        requests += [add_address(index, interface) for interface in endpoint.interfaces]
        requests.append(links.change_link(index, LinkChange(up=True)))
    sandbox.inside.send(requests)


def announce(sandbox: Sandbox, placed: Iterable[tuple[Endpoint, int]]) -> None:
    """Let each link tell its neighbours whose its address is now, so that none asks an old owner. Raises KernelError.

    That goes to every port of a bridge, so it is said once, when frames pass: not already when the link goes up. What
    is said of IPv6 addresses, the link's settings say (ndisc_notify).
    """
    requests: list[Request] = []
    for each, index in placed:
        if each.mac_address and not any(name.endswith("/arp_notify") for name, _ in each.sysctls):
            requests.append(links.change_link(index, LinkChange(arp_notify=True)))
        if each.mac_address:
            requests.append(links.change_link(index, LinkChange(mac=each.mac_address)))
    sandbox.inside.send(requests)


def turn(sandbox: Sandbox, before: Gateways, after: Gateways) -> None:
    """Lead what has no nearer route by the gateways *after* instead of those *before*. Raises KernelError."""
    requests: list[Request] = []
    for old, new, version in ((before.v4, after.v4, 4), (before.v6, after.v6, 6)):
        if old == new:
            continue
        if old is not None and (index := _index(sandbox, old)):
            requests.append(delete_default_route(ip_address(_gateway(old, version)), index))
        if new is not None and (index := _index(sandbox, new)):
            requests.append(add_default_route(ip_address(_gateway(new, version)), index))
    sandbox.inside.send(requests)


def lead(sandbox: Sandbox, gateways: Gateways, placed: Sequence[tuple[Endpoint, int]]) -> None:
    """The default routes of a fresh namespace. Raises KernelError."""
    requests: list[Request] = []
    for endpoint, index in placed:
        if endpoint == gateways.v4:
            requests.append(add_default_route(ip_address(endpoint.gateway), index))
        if endpoint == gateways.v6:
            requests.append(add_default_route(ip_address(endpoint.ipv6_gateway), index))
        if endpoint.driver == "ipvlan" and not endpoint.gateway and not endpoint.internal:
            requests += [add_default_link_route(each.version, index) for each in endpoint.interfaces]
    sandbox.inside.send(requests)


def align(sandbox: Sandbox, gateways: Gateways, endpoints: Iterable[Endpoint]) -> None:
    """Let the default routes be by *gateways*, and by no other of *endpoints*; those that others made stay.

    Raises KernelError.
    """
    ours = {index: endpoint for endpoint in endpoints if (index := _index(sandbox, endpoint))}
    wanted = {
        (index, ip_address(_gateway(endpoint, version)))
        for index, endpoint in ours.items()
        for version, gate in ((4, gateways.v4), (6, gateways.v6))
        if gate == endpoint
    }
    present = {
        (route.index, route.gateway)
        for route in list_routes(sandbox.inside)
        if route.destination.prefixlen == 0 and route.gateway is not None and route.index in ours
    }
    sandbox.inside.send([delete_default_route(gateway, index) for index, gateway in present - wanted])
    sandbox.inside.send([add_default_route(gateway, index) for index, gateway in wanted - present])


def unfit(sandbox: Sandbox, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Those whose link is not there, is down, or lacks an address. Raises KernelError."""
    present = list_addresses(sandbox.inside)
    found = {link.name: link for link in links.list_links(sandbox.inside)}
    missing = []
    for endpoint in endpoints:
        link = found.get(endpoint.link)
        own = {each.interface for each in present if link is not None and each.index == link.index}
        if link is None or not link.up or not own.issuperset(endpoint.interfaces):
            missing.append(endpoint)
    return missing


def clear(sandbox: Sandbox, endpoints: Iterable[Endpoint], unfit_ones: Iterable[Endpoint]) -> None:
    """Take the links of *unfit_ones* away, and cables that belong to none of *endpoints*. Raises KernelError."""
    known = {endpoint.link for endpoint in endpoints} - {endpoint.link for endpoint in unfit_ones}
    strays = [link for link in links.list_links(sandbox.inside) if link.kind in _CABLES and link.name not in known]
    sandbox.inside.send([links.delete_link(link.index) for link in strays])


def remove(sandbox: Sandbox, endpoint: Endpoint) -> None:
    """Take a link out of a sandbox; one that is gone is no error. Raises KernelError."""
    if endpoint.link:
        sandbox.inside.send([links.delete_link(endpoint.link)])


def place(sandbox: Sandbox, endpoints: Iterable[Endpoint]) -> list[tuple[Endpoint, int]]:
    """Each endpoint with the index of its link. Raises KernelError, ENODEV when one is not there."""
    placed = []
    for endpoint in endpoints:
        index = _index(sandbox, endpoint)
        if not index:
            raise KernelError.of(errno.ENODEV, f"look for link {endpoint.link}")
        placed.append((endpoint, index))
    return placed


def open_doors() -> Doors:
    """Sockets at 127.0.0.11, to which port 53 leads; a program of the sandbox may still bind port 53.

    Called inside the namespace. Raises KernelError, OSError.
    """
    netlink = Netlink(NETLINK_NETFILTER)
    with ExitStack() as undo:
        undo.callback(netlink.close)
        doors = Doors(*_bound(), netlink.close)
        undo.callback(doors.close)
        pairs = ((socket.IPPROTO_UDP, doors.datagrams), (socket.IPPROTO_TCP, doors.streams))
        targets = {int(protocol): int(door.getsockname()[1]) for protocol, door in pairs}
        install(netlink, Redirect(_TABLE, IPv4Address(RESOLVER), _PORT, targets))
        undo.pop_all()
    return doors


def _bound() -> tuple[socket.socket, socket.socket]:
    with ExitStack() as undo:
        made = []
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            each = socket.socket(socket.AF_INET, kind)
            undo.callback(each.close)
            each.bind((RESOLVER, 0))
            made.append(each)
        made[1].listen(_BACKLOG)
        undo.pop_all()
    return made[0], made[1]


def _settle(proc: Proc, endpoint: Endpoint) -> None:
    """IPv6 only where the network has it; there no router is believed, and neighbours are told of a new MAC address.

    Each name costs a walk past the entries that the kernel keeps for the other namespaces.
    """
    ipv6 = any(each.version == 6 for each in endpoint.interfaces)
    values = {"disable_ipv6": "0", "accept_ra": "0", "ndisc_notify": "1"} if ipv6 else {"disable_ipv6": "1"}
    for name, value in values.items():
        try:
            proc.write_sysctl(f"net/ipv6/conf/{endpoint.link}/{name}", value)
        except KernelError as error:
            if error.errno != errno.ENOENT:  # a kernel without IPv6 has nothing to switch off
                raise
    for name, value in endpoint.sysctls:
        proc.write_sysctl(name.replace("/IFNAME/", f"/{endpoint.link}/"), value)


def _index(sandbox: Sandbox, endpoint: Endpoint) -> int:
    link = links.find_link(sandbox.inside, endpoint.link)
    return link.index if link is not None else 0


def _gateway(endpoint: Endpoint, version: int) -> str:
    return endpoint.gateway if version == 4 else endpoint.ipv6_gateway
