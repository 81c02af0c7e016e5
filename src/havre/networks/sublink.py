"""Networks on a link of the host: each sandbox has a macvlan or ipvlan of its own on it."""

import errno
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from havre.base.errors import NotFound
from havre.kernel.libc import KernelError
from havre.kernel.netlink import links
from havre.kernel.netlink.codec import Request
from havre.kernel.netlink.connection import Netlink
from havre.kernel.netlink.links import LinkChange, SubLink
from havre.networks.medium import Plug
from havre.networks.model import Endpoint, Network, link_mark
from havre.networks.options import parse_parent

_STAND_IN: Final = "dm-"
"""Begins the name of the link of our own that stands in for a parent, as Docker names it."""
_FAR: Final = 1 << 28
_MODES: Final[Mapping[str, Mapping[str, int]]] = {
    "macvlan": {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8},
    "ipvlan": {"l2": 0, "l3": 1, "l3s": 2},
}
"""enum macvlan_mode, enum ipvlan_mode in linux/if_link.h."""


class NoSuchParent(NotFound):
    """The link of the host that a network hangs on is not there."""


@dataclass(slots=True)
class SublinkMedium:
    """One such network; for one thread at a time. Without a parent, a link of our own leads nowhere in its place."""

    netlink: Netlink
    network: Network
    mtu: int = 0
    index: int = 0
    numbered: bool = False

    def ensure(self) -> None:
        """Find the parent, or make the link that stands in for it. Raises NoSuchParent, KernelError."""
        name = self.network.parent or f"{_STAND_IN}{self.network.id[:12]}"
        link = links.find_link(self.netlink, name)
        if link is None and self.network.parent:
            raise NoSuchParent(f"invalid subinterface vlan name {name}: no such link on this host")
        if link is None:
            self._make_stand_in(name)
            mark = link_mark(f"network-{self.network.id}")
            self.netlink.send([links.change_link(name, LinkChange(alias=mark, up=True))])
            link = links.find_link(self.netlink, name)
        self.index = link.index if link is not None else 0

    def _make_stand_in(self, name: str) -> None:
        try:
            self.netlink.send([links.add_sink(name, "dummy")])
        except KernelError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            self.netlink.send([links.add_sink(name, "ifb")])  # a kernel without dummy links: this one leads nowhere too

    def remove(self) -> None:
        """Take the stand-in away; a parent of the host's stays."""
        if not self.network.parent:
            self.netlink.send([links.delete_link(f"{_STAND_IN}{self.network.id[:12]}")])

    def lay(self, endpoint: Endpoint, plug: Plug) -> list[Request]:
        """The link is born in the namespace of its sandbox.

        Older kernels (6.1 does) look for its number, or without one its name, among the links of our own namespace,
        and may find it taken there: eth0 often is, and so are small numbers.
        """
        driver = self.network.driver
        _, mode = parse_parent(driver, self.network.options)
        made = SubLink(
            kind=driver,
            name=endpoint.link,
            netns_fd=plug.netns_fd,
            index=_FAR + secrets.randbelow(_FAR),
            parent=self.index,
            mode=_MODES[driver][mode],
            mac=endpoint.mac_address if driver == "macvlan" else "",
            mtu=self.mtu,
        )
        return [links.add_sublink(made)]

    def settle(self, endpoint: Endpoint) -> None:
        """Frames pass at once."""

    def replug(self, endpoint: Endpoint, *, reflecting: bool) -> None:
        """There is no end of it here."""

    def silence(self, endpoint: Endpoint) -> None:
        """It ends with its namespace, or when it is deleted inside."""

    def unplug(self, endpoint: Endpoint) -> None:
        """As above."""
