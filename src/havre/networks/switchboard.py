"""Where sandboxes are connected: every step that blocks, for one thread at a time."""

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from havre.base.errors import InvalidInput
from havre.base.ids import SHORT_LENGTH, new_id
from havre.kernel.netlink import links
from havre.kernel.netlink.links import Link
from havre.kernel.netns import pin_netns, unpin_netns
from havre.networks.firewall import TABLE, Guard, Wanted
from havre.networks.ipam import choose_address
from havre.networks.model import (
    BRIDGE,
    HOST,
    LINK_MARK,
    AlreadyAttached,
    Attachment,
    Network,
    PortBusy,
    PortWish,
    Reconciled,
    Wishes,
    host_link_name,
)
from havre.networks.plant import Plant
from havre.networks.port_rules import Forward
from havre.networks.reservations import host_ips
from havre.networks.sandboxes import Remains, Sandbox, open_sandbox
from havre.networks.watch import Ours

_log = logging.getLogger(__name__)


class Switchboard:
    """Connects sandboxes to the default networks and takes them off again.

    What it is told is in the store before the kernel hears of it, and out of it before the kernel's objects go:
    a crash leaves objects without a record, which `reconcile` removes, and never the other way round.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._attachments = {each.sandbox_id: each for each in plant.store.attachments()}
        for each in self._attachments.values():
            plant.reservations.retake(each.sandbox_id, each.ports, each.ip_address)
        self._assert_rules()

    def close(self) -> None:
        """End our threads and give sockets back; what is connected stays so."""
        self._plant.close()

    def attachments(self) -> list[Attachment]:
        """All that are known. Safe to call from any thread."""
        return list(self._attachments.values())

    def find(self, sandbox_id: str) -> Attachment | None:
        """The attachment of a sandbox. Safe to call from any thread."""
        return self._attachments.get(sandbox_id)

    def ours(self) -> Ours:
        """What a watch over us must look for."""
        return Ours(self._plant.bridge.index, TABLE, threading.get_native_id())

    def attach(self, sandbox_id: str, network: Network, wishes: Wishes) -> Attachment:
        """Connect a sandbox; when this raises, nothing is left of the attempt."""
        if sandbox_id in self._attachments:
            raise AlreadyAttached(f"sandbox {sandbox_id} is attached to network {network.name} already")
        attachment = self._plan(sandbox_id, network, wishes)
        with ExitStack() as undo:
            if wishes.ports and attachment.ip_address:
                undo.callback(self._plant.reservations.release, sandbox_id)
                attachment = self._reserve(attachment, wishes)
            undo.callback(self._plant.store.forget_attachment, sandbox_id)
            self._plant.store.save_attachment(attachment)
            if attachment.netns_path:
                self._connect(attachment, undo)
            undo.pop_all()
        self._attachments[sandbox_id] = attachment
        return attachment

    def detach(self, sandbox_id: str) -> None:
        """Take a sandbox off; its address is free when this returns. An unknown one is no error."""
        attachment = self._attachments.get(sandbox_id)
        if attachment is None:
            return
        if attachment.host_link:
            self._plant.bridge.silence(attachment)
            self._unguard(attachment)
            self._unforward(attachment)
        self._plant.reservations.release(sandbox_id)
        self._plant.store.forget_attachment(sandbox_id)
        del self._attachments[sandbox_id]
        if attachment.netns_path:
            self._plant.undertaker.bury(Remains(attachment.netns_path, attachment.host_link))

    def repair(self) -> None:
        """Make bridge, ports and rules right again, whoever changed them."""
        self._plant.bridge.ensure()
        present = {link.name: link for link in links.list_links(self._plant.netlink)}
        for attachment in self.attachments():
            link = present.get(attachment.host_link)
            if link is not None and (link.master != self._plant.bridge.index or not link.up):
                self._plant.bridge.replug(attachment)
        firewall = self._plant.firewall
        if firewall is not None and not firewall.is_intact(self._wanted()):
            _log.warning("the firewall rules of table %s were changed by somebody else: made anew", TABLE)
            self._assert_rules()

    def reconcile(self, live: Collection[str]) -> Reconciled:
        """Compare with the sandboxes that *live*: forget the others, mend cables, remove what belongs to nobody."""
        dead = [each.sandbox_id for each in self.attachments() if each.sandbox_id not in live]
        for sandbox_id in dead:
            self.detach(sandbox_id)
        self._plant.bridge.ensure()
        found = links.list_links(self._plant.netlink)
        self._sweep(found)
        present = {link.name for link in found}
        cut = [each for each in self.attachments() if each.host_link and each.host_link not in present]
        mended = {each.sandbox_id: self._mend(each) for each in cut}
        self._assert_rules()
        self.repair()
        return Reconciled(
            forgotten=tuple(dead),
            repaired=tuple(sandbox_id for sandbox_id, good in mended.items() if good),
            lost=tuple(sandbox_id for sandbox_id, good in mended.items() if not good),
        )

    def _reserve(self, attachment: Attachment, wishes: Wishes) -> Attachment:
        owner, address = attachment.sandbox_id, attachment.ip_address
        asked = [replace(wish, host_ips=self._host_ips(wish)) for wish in wishes.ports]
        try:
            ports = self._plant.reservations.reserve(owner, asked, address)
        except PortBusy as busy:
            where = f"endpoint {wishes.name or owner[:SHORT_LENGTH]} ({attachment.endpoint_id})"
            raise PortBusy(
                "failed to set up container networking: driver failed programming external connectivity on "
                f"{where}: {busy.message}"
            ) from busy
        return msgspec.structs.replace(attachment, ports=ports)

    def _host_ips(self, wish: PortWish) -> tuple[str, ...]:
        return wish.host_ips or tuple(host_ips("", self._plant.default_binding))

    def _plan(self, sandbox_id: str, network: Network, wishes: Wishes) -> Attachment:
        """What the sandbox will have: chosen, not done."""
        endpoint_id, namespace_id = new_id(), new_id()
        folder = self._plant.netns_folder
        attachment = Attachment(
            sandbox_id=sandbox_id,
            network_name=network.name,
            network_id=network.id,
            endpoint_id=endpoint_id,
            namespace_id=namespace_id,
            netns_path="" if network.name == HOST else str(folder / namespace_id[:SHORT_LENGTH]),
        )
        if network.name != BRIDGE:
            if wishes.mac_address or wishes.ip_address:
                raise InvalidInput(f"conflicting options: addresses and the network mode {network.name}")
            return attachment
        subnet = IPv4Network(network.subnet)
        address = choose_address(
            subnet,
            IPv4Network(network.ip_range) if network.ip_range else subnet,
            self._taken(network),
            _parse_address(wishes.ip_address),
        )
        return msgspec.structs.replace(
            attachment,
            ip_address=str(address),
            ip_prefix_len=subnet.prefixlen,
            gateway=network.gateway,
            mac_address=_parse_mac(wishes.mac_address),
            host_link=host_link_name(endpoint_id),
            any_source=wishes.any_source,
        )

    def _taken(self, network: Network) -> set[IPv4Address]:
        leases = {IPv4Address(each.ip_address) for each in self.attachments() if each.network_id == network.id}
        return leases | {IPv4Address(network.gateway), IPv4Address(network.bridge_address)}

    def _connect(self, attachment: Attachment, undo: ExitStack) -> None:
        sandbox = self._plant.pool.take()
        with ExitStack() as opened:
            opened.callback(sandbox.close)
            path = Path(attachment.netns_path)
            undo.callback(unpin_netns, path)
            pin_netns(sandbox.netns_fd, path)
            if attachment.host_link:
                self._lay_cable(attachment, sandbox, undo)

    def _lay_cable(self, attachment: Attachment, sandbox: Sandbox, undo: ExitStack, *, fresh: bool = True) -> None:
        undo.callback(self._unguard, attachment)
        self._guard(attachment)
        undo.callback(self._plant.bridge.unplug, attachment)
        self._plant.bridge.plug(attachment, sandbox.netns_fd, sandbox.inside, fresh=fresh)
        undo.callback(self._unforward, attachment)
        self._forward(attachment)

    def _mend(self, attachment: Attachment) -> bool:
        """Lay a cable anew into a sandbox that lives; tells whether that was possible."""
        try:
            sandbox = open_sandbox(Path(attachment.netns_path))
            with ExitStack() as undo:
                undo.callback(sandbox.close)
                self._plant.bridge.plug(attachment, sandbox.netns_fd, sandbox.inside, fresh=False)
        except OSError as error:
            _log.error("cannot connect sandbox %s again: %s", attachment.sandbox_id, error)
            return False
        return True

    def _sweep(self, found: Collection[Link]) -> None:
        """Have everything removed that carries our mark and that no attachment owns."""
        owned_links = {each.host_link for each in self.attachments()}
        owned_files = {each.netns_path for each in self.attachments()}
        for link in found:
            if link.kind == "veth" and link.alias.startswith(LINK_MARK) and link.name not in owned_links:
                self._plant.undertaker.bury(Remains(host_link=link.name))
        for path in self._plant.netns_folder.iterdir():
            if str(path) not in owned_files:
                self._plant.undertaker.bury(Remains(netns_path=str(path)))

    def _wanted(self) -> Wanted:
        rules = replace(self._plant.rules, forwards=tuple(_forwards(self.attachments())))
        if rules.guards is None:
            return rules
        return replace(rules, guards=tuple(_guards(self.attachments())))

    def _assert_rules(self) -> None:
        if self._plant.firewall is not None:
            self._plant.firewall.assert_all(self._wanted())

    def _forward(self, attachment: Attachment) -> None:
        if self._plant.firewall is not None and attachment.ports:
            self._plant.firewall.forward(_forwards([attachment]))

    def _unforward(self, attachment: Attachment) -> None:
        if self._plant.firewall is not None and attachment.ports:
            self._plant.firewall.unforward(_forwards([attachment]))

    def _guard(self, attachment: Attachment) -> None:
        if self._plant.firewall is not None and self._plant.rules.guards is not None:
            for guard in _guards([attachment]):
                self._plant.firewall.guard(guard)

    def _unguard(self, attachment: Attachment) -> None:
        if self._plant.firewall is not None and self._plant.rules.guards is not None:
            for guard in _guards([attachment]):
                self._plant.firewall.unguard(guard)


def _forwards(attachments: Collection[Attachment]) -> Iterator[Forward]:
    """The ports that the kernel leads on; those of IPv6 addresses are the relay's."""
    for each in attachments:
        for port in each.ports:
            if ":" not in port.host_ip:
                yield Forward(port.host_ip, port.host_port, port.protocol, each.ip_address, port.port)


def _guards(attachments: Collection[Attachment]) -> Iterator[Guard]:
    for each in attachments:
        if each.host_link and not each.any_source:
            yield Guard(each.host_link, each.mac_address, each.ip_address)


def _parse_address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text) if text else None
    except ValueError:
        raise InvalidInput(f"invalid IPv4 address: {text[:64]!r}") from None


def _parse_mac(text: str) -> str:
    if not text:
        return links.random_mac()
    try:
        raw = links.mac_bytes(text)
    except ValueError:
        raise InvalidInput(f"invalid MAC address: {text[:64]!r}") from None
    if raw[0] & 1:
        raise InvalidInput(f"invalid MAC address: {text} is a group address")
    return raw.hex(":")
