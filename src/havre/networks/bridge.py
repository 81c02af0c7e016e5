"""The bridge of a network: made, looked after, and the cables that go into its ports."""

import errno
import logging
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from havre.base.errors import Conflict
from havre.kernel.libc import KernelError
from havre.kernel.netlink import links
from havre.kernel.netlink.addresses import add_address, delete_address, list_addresses
from havre.kernel.netlink.codec import Request
from havre.kernel.netlink.connection import Netlink
from havre.kernel.netlink.links import Link, LinkChange, VethPair
from havre.kernel.netlink.routes import add_default_route, forget_neighbour
from havre.kernel.netns import run_in_netns
from havre.kernel.procfs import Proc
from havre.networks.model import CONTAINER_LINK, CONTAINER_LINK_INDEX, Attachment, link_mark

_log = logging.getLogger(__name__)
_NETWORK_MARK = "network-"
_FORWARDING_TRIES = 50
_FORWARDING_PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """What a bridge shall be like. *loopback_routed*: packets from 127.0.0.1 pass it; only behind a rule."""

    name: str
    network_id: str
    interface: IPv4Interface
    mac: str
    mtu: int
    isolated: bool = False
    loopback_routed: bool = False


class Bridge:
    """One bridge in our namespace and the cables in it; for one thread at a time."""

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
            self._quieten()
            alias = link_mark(_NETWORK_MARK + self._plan.network_id)
            self._netlink.send([links.change_link(self._plan.name, LinkChange(alias=alias))])
            link = links.find_link(self._netlink, self._plan.name)
        if link is None or link.kind != "bridge":
            raise Conflict(f"cannot use {self._plan.name} as a bridge: a link of another kind has this name")
        self.index = link.index
        self._ensure_address(is_ours=link.alias == link_mark(_NETWORK_MARK + self._plan.network_id))
        if not link.up:
            self._quieten()
            self._netlink.send([links.change_link(link.index, LinkChange(up=True))])

    def plug(self, attachment: Attachment, netns_fd: int, inside: Netlink, *, fresh: bool = True) -> None:
        """Lay the cable of *attachment* from a port of the bridge to eth0 in the namespace, and set eth0 up.

        *fresh* says that the namespace holds nothing but `lo`. Raises KernelError; then `unplug` clears away.
        """
        cable = self._lay(attachment, netns_fd, CONTAINER_LINK_INDEX if fresh else 0)
        self._netlink.send([*cable, *self._port_settings(attachment)])
        run_in_netns(netns_fd, self._quieten_container_link)
        index = CONTAINER_LINK_INDEX if fresh else _link_named(inside, CONTAINER_LINK).index
        address, gateway = attachment.interface, IPv4Address(attachment.gateway)
        inside.send([add_address(index, address), links.change_link(index, LinkChange(up=True))])
        self._wait_forwarding(attachment.host_link)
        # With arp_notify, naming the MAC address once more lets eth0 tell whose its address is now.
        announce = links.change_link(index, LinkChange(mac=attachment.mac_address))
        inside.send([add_default_route(gateway, index), announce])

    def replug(self, attachment: Attachment) -> None:
        """Put our end of a cable back into a port of the bridge. Raises KernelError."""
        plugged = links.change_link(attachment.host_link, LinkChange(master=self.index, up=True))
        self._netlink.send([plugged, *self._port_settings(attachment)])

    def silence(self, attachment: Attachment) -> None:
        """Cut a cable off at once, and let the host forget who had its address. The link goes with `unplug`."""
        address = IPv4Address(attachment.ip_address)
        self._netlink.send([links.stop_link(attachment.host_link), forget_neighbour(address, self.index)])

    def unplug(self, attachment: Attachment) -> None:
        """Take the cable away; one that is gone is no error. Waits for the kernel, tens of milliseconds."""
        self._netlink.send([links.delete_link(attachment.host_link)])

    def _port_settings(self, attachment: Attachment) -> list[Request]:
        """With br_netfilter a sandbox's way to its own published port is bridged, back by the port it came from."""
        name = attachment.host_link
        isolate = [links.isolate_port(name)] if self._plan.isolated else []
        return [*isolate, links.reflect_port(name)] if attachment.ports else isolate

    def _lay(self, attachment: Attachment, netns_fd: int, peer_index: int) -> list[Request]:
        pair = VethPair(
            name=attachment.host_link,
            peer_name=CONTAINER_LINK,
            peer_netns=netns_fd,
            peer_index=peer_index,
            peer_mac=attachment.mac_address,
            mtu=self._plan.mtu,
        )
        mark = link_mark(attachment.sandbox_id)
        port = LinkChange(alias=mark, master=self.index, up=True, without_ipv6_address=True)
        return [links.add_veth(pair), links.change_link(pair.name, port)]

    def _wait_forwarding(self, port: str) -> None:
        """Until the bridge has noticed that the cable is connected: earlier frames are lost, and asked again after 1 s.

        Kernels since 6.8 settle that in the question itself, older ones in a worker soon after.
        """
        for _ in range(_FORWARDING_TRIES):
            link = links.find_link(self._netlink, port)
            if link is None or link.forwarding:
                return
            time.sleep(_FORWARDING_PAUSE_S)
        _log.warning("port %s of %s does not forward yet", port, self._plan.name)

    def _ensure_address(self, *, is_ours: bool) -> None:
        wanted = self._plan.interface
        present = [
            address.interface
            for address in list_addresses(self._netlink)
            if address.index == self.index and isinstance(address.interface, IPv4Interface)
        ]
        if wanted not in present:
            self._netlink.send([add_address(self.index, wanted, replace=True)])
        if is_ours:
            stale = [delete_address(self.index, interface) for interface in present if interface != wanted]
            self._netlink.send(stale)

    def _quieten(self) -> None:
        """No IPv6 on the bridge of an IPv4 network; what a sandbox announces changes nothing on the host."""
        self._write(f"net/ipv6/conf/{self._plan.name}/disable_ipv6", "1")
        self._write(f"net/ipv6/conf/{self._plan.name}/accept_ra", "0")
        if self._plan.loopback_routed:
            self._write(f"net/ipv4/conf/{self._plan.name}/route_localnet", "1")

    def _quieten_container_link(self) -> None:
        """The same inside; and eth0 tells neighbours when its card changes, so that none asks an old owner."""
        self._write(f"net/ipv6/conf/{CONTAINER_LINK}/disable_ipv6", "1")
        self._write(f"net/ipv6/conf/{CONTAINER_LINK}/accept_ra", "0")
        self._write(f"net/ipv4/conf/{CONTAINER_LINK}/arp_notify", "1")

    def _write(self, name: str, value: str) -> None:
        try:
            self._proc.write_sysctl(name, value)
        except KernelError as error:
            if error.errno != errno.ENOENT:  # a kernel without IPv6 has nothing to switch off
                raise


def _link_named(netlink: Netlink, name: str) -> Link:
    link = links.find_link(netlink, name)
    if link is None:
        raise KernelError.of(errno.ENODEV, f"look for link {name}")
    return link
