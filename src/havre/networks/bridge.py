"""The bridge of a network: made, looked after, and the cables that go into its ports."""

import errno
import logging
import time
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address

from havre.base.errors import Conflict
from havre.kernel.libc import KernelError
from havre.kernel.netlink import links
from havre.kernel.netlink.addresses import add_address, delete_address, list_addresses
from havre.kernel.netlink.codec import Request
from havre.kernel.netlink.connection import Netlink
from havre.kernel.netlink.links import LinkChange, LinkFlag, VethPair
from havre.kernel.netlink.routes import forget_neighbour
from havre.kernel.procfs import Proc
from havre.networks.medium import Plug
from havre.networks.model import Endpoint, link_mark

_log = logging.getLogger(__name__)
_NETWORK_MARK = "network-"
_FORWARDING_TRIES = 50
_FORWARDING_PAUSE_S = 0.001
_LINK_LOCAL = IPv6Interface("fe80::1/64")


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """What a bridge shall be like. *loopback_routed*: packets from 127.0.0.1 pass it; only behind a rule."""

    name: str
    network_id: str
    interfaces: tuple[IPv4Interface | IPv6Interface, ...]
    mac: str
    mtu: int
    isolated: bool = False
    loopback_routed: bool = False

    @property
    def ipv6(self) -> bool:
        """Whether IPv6 is spoken there."""
        return any(each.version == 6 for each in self.interfaces)


class Bridge:
    """One bridge in our namespace and the cables in it; for one thread at a time."""

    numbered = True

    def __init__(self, netlink: Netlink, proc: Proc, plan: BridgePlan) -> None:
        self._netlink = netlink
        self._proc = proc
        self._plan = plan
        self.index = 0

    def ensure(self) -> None:
        """Make the bridge what the plan says; changes nothing about one that is so already.

        Raises Conflict when something else has its name, KernelError.
        """
        link = links.find_link(self._netlink, self._plan.name)
        if link is None:
            self._netlink.send([links.add_bridge(self._plan.name, mac=self._plan.mac)])
            self._settle()
            self._netlink.send([links.change_link(self._plan.name, LinkChange(alias=self._mark, mtu=self._plan.mtu))])
            link = links.find_link(self._netlink, self._plan.name)
        if link is None or link.kind != "bridge":
            raise Conflict(f"cannot use {self._plan.name} as a bridge: a link of another kind has this name")
        self.index = link.index
        if not link.up:
            self._settle()
        self._ensure_addresses(is_ours=link.alias == self._mark)
        if not link.up:
            self._netlink.send([links.change_link(link.index, LinkChange(up=True))])

    def remove(self) -> None:
        """Take the bridge away if it was made here; one that is gone, or was there before us, is no error."""
        link = links.find_link(self._netlink, self._plan.name)
        if link is not None and link.alias == self._mark:
            self._netlink.send([links.delete_link(link.index)])

    def lay(self, endpoint: Endpoint, plug: Plug) -> list[Request]:
        """What lays the cable of *endpoint* from a port of the bridge into the namespace, both ends down inside."""
        pair = VethPair(
            name=endpoint.host_link,
            peer_name=endpoint.link,
            peer_netns=plug.netns_fd,
            peer_index=plug.index,
            peer_mac=endpoint.mac_address,
            mtu=self._plan.mtu,
        )
        port = LinkChange(alias=link_mark(plug.sandbox_id), master=self.index, up=True, without_ipv6_address=True)
        return [
            links.add_veth(pair),
            links.change_link(pair.name, port),
            *self._port_settings(endpoint, reflecting=plug.reflecting),
        ]

    def settle(self, endpoint: Endpoint) -> None:
        """Wait until frames pass: earlier ones are lost, and asked again after 1 s.

        The port must have noticed that its cable is connected, and a bridge that was without ports that it has one.
        Kernels since 6.8 settle that in the question itself, older ones in a worker soon after.
        """
        for _ in range(_FORWARDING_TRIES):
            port = links.find_link(self._netlink, endpoint.host_link)
            bridge = links.find_link(self._netlink, self._plan.name)
            if port is None or bridge is None or (port.forwarding and LinkFlag.RUNNING in bridge.flags):
                return
            time.sleep(_FORWARDING_PAUSE_S)
        _log.warning("port %s of %s does not forward yet", endpoint.host_link, self._plan.name)

    def replug(self, endpoint: Endpoint, *, reflecting: bool) -> None:
        """Put our end of a cable back into a port of the bridge. Raises KernelError."""
        plugged = links.change_link(endpoint.host_link, LinkChange(master=self.index, up=True))
        self._netlink.send([plugged, *self._port_settings(endpoint, reflecting=reflecting)])

    def silence(self, endpoint: Endpoint) -> None:
        """Cut a cable off at once, and let the host forget who had its addresses. The link goes with `unplug`."""
        addresses = [ip_address(text) for text in (endpoint.ip_address, endpoint.ipv6_address) if text]
        forgotten = [forget_neighbour(address, self.index) for address in addresses]
        self._netlink.send([links.stop_link(endpoint.host_link), *forgotten])

    def unplug(self, endpoint: Endpoint) -> None:
        """Take the cable away; one that is gone is no error. Waits for the kernel, tens of milliseconds."""
        self._netlink.send([links.delete_link(endpoint.host_link)])

    @property
    def _mark(self) -> str:
        return link_mark(_NETWORK_MARK + self._plan.network_id)

    def _port_settings(self, endpoint: Endpoint, *, reflecting: bool) -> list[Request]:
        """With br_netfilter a sandbox's way to its own published port is bridged, back by the port it came from."""
        name = endpoint.host_link
        isolate = [links.isolate_port(name)] if self._plan.isolated else []
        return [*isolate, links.reflect_port(name)] if reflecting else isolate

    def _ensure_addresses(self, *, is_ours: bool) -> None:
        wanted = [*self._plan.interfaces, *([_LINK_LOCAL] if self._plan.ipv6 else [])]
        present = [each.interface for each in list_addresses(self._netlink) if each.index == self.index]
        missing = [interface for interface in wanted if interface not in present]
        if missing:
            self._netlink.send([add_address(self.index, interface, replace=True) for interface in missing])
        if is_ours:
            stale = [each for each in present if each not in wanted and not each.is_link_local]
            self._netlink.send([delete_address(self.index, interface) for interface in stale])

    def _settle(self) -> None:
        """IPv6 on the bridge only where the network has it; what a sandbox announces changes nothing on the host."""
        self._write(f"net/ipv6/conf/{self._plan.name}/disable_ipv6", "0" if self._plan.ipv6 else "1")
        self._write(f"net/ipv6/conf/{self._plan.name}/accept_ra", "0")
        if self._plan.loopback_routed:
            self._write(f"net/ipv4/conf/{self._plan.name}/route_localnet", "1")

    def _write(self, name: str, value: str) -> None:
        try:
            self._proc.write_sysctl(name, value)
        except KernelError as error:
            if error.errno != errno.ENOENT:  # a kernel without IPv6 has nothing to switch off
                raise
