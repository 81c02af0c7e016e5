"""The kernel's side of endpoints: cables, guards, addresses, routes, the doors of name servers, led ports."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from havre.kernel.netlink.links import mac_bytes, mac_of
from havre.kernel.netns import pin_netns, unpin_netns
from havre.networks import inside
from havre.networks.bridge_rules import Guard
from havre.networks.inside import Doors
from havre.networks.medium import Plug
from havre.networks.model import FIRST_LINK_INDEX, Attachment, Endpoint
from havre.networks.planning import choose_gateways
from havre.networks.plant import Plant
from havre.networks.port_rules import Forward
from havre.networks.sandboxes import Remains, Sandbox, open_sandbox


class Cabling:
    """For one thread at a time. What is done is pushed on the *undo* that a method is given."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._misled: set[tuple[str, str]] = set()

    def found(self, attachment: Attachment, undo: ExitStack) -> None:
        """Give a sandbox its namespace with everything in it."""
        sandbox = self._plant.pool.take()
        with ExitStack() as opened:
            opened.callback(sandbox.close)
            path = Path(attachment.netns_path)
            undo.callback(unpin_netns, path)
            pin_netns(sandbox.netns_fd, path)
            linked = [endpoint for endpoint in attachment.endpoints if endpoint.link]
            if not linked:
                return
            placed = self._lay(attachment, linked, sandbox, undo, first_index=FIRST_LINK_INDEX)
            inside.lead(sandbox, choose_gateways(attachment.endpoints), placed)
            undo.callback(self.unforward, attachment)
            self.forward(attachment)
            self._announce(sandbox, placed)

    def join(self, before: Attachment, after: Attachment, endpoint: Endpoint, undo: ExitStack) -> None:
        """Lay one cable more into a sandbox that lives, and turn its way to the world if that changes."""
        with _opened(after) as sandbox:
            placed = self._lay(after, [endpoint], sandbox, undo)
            inside.turn(sandbox, choose_gateways(before.endpoints), choose_gateways(after.endpoints))
            undo.callback(self.unforward, after)
            self.forward(after)
            self._reflect(after)
            self._announce(sandbox, placed)

    def leave(self, before: Attachment, after: Attachment, endpoint: Endpoint) -> None:
        """Take the link of one endpoint out of a sandbox that lives, and turn its way to the world."""
        with _opened(before) as sandbox:
            inside.remove(sandbox, endpoint)
            inside.turn(sandbox, choose_gateways(before.endpoints), choose_gateways(after.endpoints))
        self.unguard(before, [endpoint])
        self.forward(after)
        self._reflect(after)

    def mend(self, attachment: Attachment, endpoints: Sequence[Endpoint]) -> None:
        """Lay cables that are gone anew. Raises KernelError, OSError."""
        with _opened(attachment) as sandbox, ExitStack() as undo:
            placed = self._lay(attachment, endpoints, sandbox, undo)
            inside.align(sandbox, choose_gateways(attachment.endpoints), attachment.endpoints)
            self._announce(sandbox, placed)
            undo.pop_all()

    def settle(self, attachment: Attachment) -> None:
        """Make a sandbox what its attachment says, however far a change had come. Raises KernelError, OSError."""
        linked = [endpoint for endpoint in attachment.endpoints if endpoint.link]
        with _opened(attachment) as sandbox, ExitStack() as undo:
            unfit = inside.unfit(sandbox, linked)
            inside.clear(sandbox, linked, unfit)
            for endpoint in unfit:
                self._plant.media.get(endpoint.network_id).unplug(endpoint)
            placed = self._lay(attachment, unfit, sandbox, undo)
            inside.align(sandbox, choose_gateways(attachment.endpoints), linked)
            self._announce(sandbox, placed)
            undo.pop_all()

    def serve(self, attachment: Attachment) -> None:
        """Open the doors of a name server in a sandbox that lives since before this process. Raises OSError."""
        with _opened(attachment) as sandbox:
            doors = inside.dress(sandbox, self._plant.proc, (), served=True)
        self._serve_at(attachment, doors)

    def cut(self, endpoint: Endpoint) -> None:
        """Let no frame of an endpoint pass any more."""
        if not _is_own_mac(endpoint):
            self._misled.add((endpoint.network_id, endpoint.ip_address))
        if (medium := self._plant.media.find(endpoint.network_id)) is not None:
            medium.silence(endpoint)

    def forward(self, attachment: Attachment) -> None:
        """Lead the published ports, judged by the host's rules first; those led already are no error."""
        forwards = list(self._plant.publisher.forwards(attachment))
        if self._plant.host_firewall is not None:
            self._plant.host_firewall.judge(forwards)
        if self._plant.firewall is not None:
            self._plant.firewall.forward(forwards)
        if self._plant.flows is not None:
            self._soon(self._plant.flows.turn, forwards)

    def unforward(self, attachment: Attachment) -> None:
        """Lead them no more."""
        forwards = list(self._plant.publisher.forwards(attachment))
        if self._plant.firewall is not None:
            self._plant.firewall.unforward(forwards)
        if self._plant.flows is not None:
            self._soon(self._plant.flows.end, forwards)
        if self._plant.host_firewall is not None:
            self._plant.host_firewall.let_go(forwards)

    def _soon(self, follow: Callable[[Sequence[Forward]], None], forwards: Sequence[Forward]) -> None:
        if any(each.protocol == "udp" for each in forwards):
            self._plant.undertaker.bury(Remains(finish=partial(follow, forwards)))

    def unguard(self, attachment: Attachment, endpoints: Iterable[Endpoint]) -> None:
        """Forget who may send from the ports of these endpoints."""
        if self._plant.firewall is not None and self._plant.settings.spoof_guard:
            self._plant.firewall.unguard(list(guards_of(attachment, endpoints)))

    def _lay(
        self,
        attachment: Attachment,
        endpoints: Sequence[Endpoint],
        sandbox: Sandbox,
        undo: ExitStack,
        first_index: int = 0,
    ) -> list[tuple[Endpoint, int]]:
        """Cables, settings, addresses and names; the endpoints with the indexes of their links.

        *first_index* says that the namespace is fresh, and which number its first link gets.
        """
        undo.callback(self.unguard, attachment, endpoints)
        if self._plant.firewall is not None and self._plant.settings.spoof_guard:
            self._plant.firewall.guard(list(guards_of(attachment, endpoints)))
        requests = []
        media = [self._plant.media.get(endpoint.network_id) for endpoint in endpoints]
        if not all(medium.numbered for medium in media):
            first_index = 0
        for at, (endpoint, medium) in enumerate(zip(endpoints, media, strict=True)):
            reflecting = self._plant.publisher.reflecting(attachment, endpoint)
            plug = Plug(
                attachment.sandbox_id, sandbox.netns_fd, first_index and first_index + at, reflecting=reflecting
            )
            requests += medium.lay(endpoint, plug)
            undo.callback(medium.unplug, endpoint)
        self._plant.netlink.send(requests)
        naming = self._plant.naming
        served = naming.serves(attachment.endpoints) and not naming.is_serving(attachment.sandbox_id)
        doors = inside.dress(sandbox, self._plant.proc, endpoints, served=served)
        if doors is not None:
            undo.callback(naming.stop, attachment.sandbox_id)
        self._serve_at(attachment, doors)
        indexes = range(first_index, first_index + len(endpoints))
        placed = list(zip(endpoints, indexes, strict=True)) if first_index else inside.place(sandbox, endpoints)
        inside.address(sandbox, placed)
        for endpoint, medium in zip(endpoints, media, strict=True):
            medium.settle(endpoint)
        return placed

    def _announce(self, sandbox: Sandbox, placed: Sequence[tuple[Endpoint, int]]) -> None:
        """Tell neighbours of addresses that they may know under another MAC address, and of those alone.

        A frame for everybody costs the kernel time for each port of the bridge; hundreds may have one.
        """
        told = [(each, index) for each, index in placed if not _is_own_mac(each) or self._is_misled(each)]
        inside.announce(sandbox, told)
        self._misled.difference_update((each.network_id, each.ip_address) for each, _ in told)

    def _is_misled(self, endpoint: Endpoint) -> bool:
        return (endpoint.network_id, endpoint.ip_address) in self._misled

    def _serve_at(self, attachment: Attachment, doors: Doors | None) -> None:
        if doors is not None:
            self._plant.naming.serve(attachment, doors)
            self._plant.undertaker.bury(Remains(finish=doors.finish))

    def _reflect(self, attachment: Attachment) -> None:
        """Let the port that leads published ports reflect; that of an old way keeps doing so, harmlessly."""
        for endpoint in attachment.endpoints:
            if endpoint.host_link and self._plant.publisher.reflecting(attachment, endpoint):
                self._plant.media.get(endpoint.network_id).replug(endpoint, reflecting=True)


@contextmanager
def _opened(attachment: Attachment) -> Iterator[Sandbox]:
    """The sandbox of an attachment for the length of a block."""
    sandbox = open_sandbox(Path(attachment.netns_path))
    try:
        yield sandbox
    finally:
        sandbox.close()


def _is_own_mac(endpoint: Endpoint) -> bool:
    """Whether all that ever had the addresses of *endpoint* have its MAC address, unless they asked for another.

    On the link of a parent others than we give addresses too.
    """
    if endpoint.driver != "bridge" or endpoint.ipv6_address or not endpoint.ip_address:
        return False
    return endpoint.mac_address == mac_of(IPv4Address(endpoint.ip_address))


def guards_of(attachment: Attachment, endpoints: Iterable[Endpoint]) -> Iterator[Guard]:
    """Who may send from the ports of these endpoints; nobody is held to anything who may administer its network."""
    if attachment.any_source:
        return
    for each in endpoints:
        if each.host_link:
            own = [str(interface.ip) for interface in each.interfaces]
            automatic = [_automatic(each.mac_address)] if each.ipv6_address else []
            yield Guard(each.host_link, each.mac_address, tuple(dict.fromkeys([*own, *automatic])))


def _automatic(mac: str) -> str:
    """The link-local address that the kernel makes of a MAC address: RFC 4291, appendix A."""
    raw = mac_bytes(mac)
    host = bytes((raw[0] ^ 2, *raw[1:3], 0xFF, 0xFE, *raw[3:]))
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + host))
