"""Keeping networks and kernel in step: new networks, old ones, repair, and the comparison after a start."""

import logging
from collections.abc import Collection, Mapping
from contextlib import ExitStack

from havre.base.clock import now_ns
from havre.base.errors import Forbidden, HavreError
from havre.base.ids import is_id, new_id
from havre.kernel.netlink import links
from havre.kernel.netlink.links import Link, random_mac
from havre.networks.bridge import Bridge
from havre.networks.cabling import guards_of
from havre.networks.creation import NetworkWish, Surroundings, from_config, plan_network
from havre.networks.firewall import TABLE, Wanted
from havre.networks.media import rules_of
from havre.networks.model import (
    BRIDGE,
    LINK_MARK,
    Attachment,
    Endpoint,
    Network,
    NetworkInUse,
    Reconciled,
)
from havre.networks.plant import Plant, own_pool, routed_elsewhere
from havre.networks.sandboxes import Remains
from havre.networks.switchboard import Switchboard

_log = logging.getLogger(__name__)
_NETWORK_MARK = f"{LINK_MARK}network-"


class Upkeep:
    """For one thread at a time."""

    def __init__(self, plant: Plant, board: Switchboard) -> None:
        self._plant = plant
        self._board = board
        for network in plant.catalogue:
            self._raise_again(network)
        self._assert_rules()

    def create(self, wish: NetworkWish) -> Network:
        """Make a network, durably. Raises NetworkTaken, and what `plan_network` raises; then nothing is left of it."""
        plant = self._plant
        if wish.config_from:
            wish = from_config(wish, plant.catalogue.get(wish.config_from))
        own = {medium.index for medium in plant.media}
        around = Surroundings(
            networks=tuple(plant.catalogue),
            routed=routed_elsewhere(plant.netlink, own),
            pools=(*plant.settings.pools, own_pool(plant.catalogue.get(BRIDGE).id)),
            defaults=plant.settings.network_options,
        )
        network = plan_network(wish, new_id(), now_ns(), random_mac(), around)
        with ExitStack() as undo:
            undo.callback(plant.media.drop, network)
            plant.media.add(network)
            if network.ipv6 and network.driver == "bridge":
                plant.forwarding.enable(6)
            plant.catalogue.add(network)
            undo.callback(plant.catalogue.drop, network)
            self._assert_rules()
            undo.pop_all()
        return network

    def remove(self, network: Network) -> None:
        """Let a network go, durably. Raises Forbidden for a built-in one, NetworkInUse."""
        if network.built_in:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if any(each.find(network.id) is not None for each in self._board.attachments()):
            raise NetworkInUse(
                f"error while removing network: network {network.name} id {network.id} has active endpoints"
            )
        users = [each.name for each in self._plant.catalogue if each.config_from == network.name]
        if network.config_only and users:
            raise Forbidden(f'error while removing network: configuration network "{network.name}" is in use')
        self._plant.catalogue.drop(network)
        self._assert_rules()
        self._plant.media.drop(network)
        self._plant.naming.forget(network.id)

    def repair(self) -> None:
        """Make bridges, ports and rules right again, whoever changed them."""
        self._plant.media.ensure()
        present = {link.name: link for link in links.list_links(self._plant.netlink)}
        for attachment in self._board.attachments():
            self._replug(attachment, present)
        firewall, wanted = self._plant.firewall, self._wanted()
        self._follow_host(wanted)
        if firewall is not None and not firewall.is_intact(wanted):
            _log.warning("the firewall rules of table %s were changed by somebody else: made anew", TABLE)
            self._assert_rules()

    def reconcile(self, live: Collection[str]) -> Reconciled:
        """Compare with the sandboxes that *live*: forget the others, mend cables, remove what belongs to nobody."""
        board = self._board
        dead = [each.sandbox_id for each in board.attachments() if each.sandbox_id not in live]
        for sandbox_id in dead:
            board.detach(sandbox_id)
        self._plant.media.ensure()
        self._sweep(links.list_links(self._plant.netlink))
        self._finish_changes()
        present = {link.name for link in links.list_links(self._plant.netlink)}
        cut = {
            each.sandbox_id: missing
            for each in board.attachments()
            if (missing := [one for one in each.endpoints if one.host_link and one.host_link not in present])
        }
        mended = {owner: self._mend(owner, missing) for owner, missing in cut.items()}
        self._assert_rules()
        self.repair()
        for attachment in board.attachments():
            self._serve_again(attachment)
        return Reconciled(
            forgotten=tuple(dead),
            repaired=tuple(sandbox_id for sandbox_id, good in mended.items() if good),
            lost=tuple(sandbox_id for sandbox_id, good in mended.items() if not good),
        )

    def bridge_indexes(self) -> frozenset[int]:
        """The links that a watch over us must look at."""
        return frozenset(medium.index for medium in self._plant.media if isinstance(medium, Bridge))

    def _raise_again(self, network: Network) -> None:
        """The kernel's side of a network that is known since before; one that cannot be made is no reason to stop."""
        if self._plant.media.find(network.id) is not None:
            return
        try:
            self._plant.media.add(network)
            if network.ipv6 and network.driver == "bridge":
                self._plant.forwarding.enable(6)
        except (HavreError, OSError) as failed:
            _log.error("network %s cannot be brought up: %s", network.name, failed)

    def _finish_changes(self) -> None:
        """What an earlier process was cut off in is done to its end."""
        for attachment in self._board.attachments():
            if attachment.unsettled:
                try:
                    self._board.settle(attachment)
                except (OSError, HavreError) as error:
                    _log.error("sandbox %s is not connected as it should be: %s", attachment.sandbox_id, error)

    def _replug(self, attachment: Attachment, present: Mapping[str, Link]) -> None:
        for endpoint in attachment.endpoints:
            link, medium = present.get(endpoint.host_link), self._plant.media.find(endpoint.network_id)
            if link is not None and medium is not None and (link.master != medium.index or not link.up):
                medium.replug(endpoint, reflecting=self._plant.publisher.reflecting(attachment, endpoint))

    def _mend(self, sandbox_id: str, endpoints: list[Endpoint]) -> bool:
        """Lay cables anew into a sandbox that lives; tells whether that was possible."""
        attachment = self._board.find(sandbox_id)
        try:
            if attachment is not None:
                self._board.cabling.mend(attachment, endpoints)
        except (OSError, HavreError) as error:
            _log.error("cannot connect sandbox %s again: %s", sandbox_id, error)
            return False
        return True

    def _serve_again(self, attachment: Attachment) -> None:
        """A sandbox that lives since before this process has nobody behind its name server's address."""
        naming = self._plant.naming
        if not attachment.netns_path or naming.is_serving(attachment.sandbox_id):
            return
        try:
            if naming.serves(attachment.endpoints):
                self._board.cabling.serve(attachment)
        except OSError as error:
            _log.error("sandbox %s has no name server: %s", attachment.sandbox_id, error)

    def _sweep(self, found: Collection[Link]) -> None:
        """Have everything removed that carries our mark and that neither a network nor an attachment owns."""
        owned_links = {endpoint.host_link for each in self._board.attachments() for endpoint in each.endpoints}
        owned_marks = {f"{_NETWORK_MARK}{network.id}" for network in self._plant.catalogue}
        owned_files = {each.netns_path for each in self._board.attachments()}
        used = self.bridge_indexes()  # one that another store's network of the same name has left is used again
        for link in found:
            cable = link.kind == "veth" and link.alias.startswith(LINK_MARK) and link.name not in owned_links
            if cable or (link.index not in used and self._is_lost(link, owned_marks)):
                self._plant.undertaker.bury(Remains(host_link=link.name))
        for path in self._plant.netns_folder.iterdir():
            if str(path) not in owned_files:
                self._plant.undertaker.bury(Remains(netns_path=str(path)))

    @staticmethod
    def _is_lost(link: Link, owned: Collection[str]) -> bool:
        """Whether it is the bridge of a network that is no more; a whole id stands in its mark."""
        marked = link.alias.startswith(_NETWORK_MARK) and is_id(link.alias[len(_NETWORK_MARK) :])
        return marked and link.kind in {"bridge", "dummy", "ifb"} and link.alias not in owned

    def _wanted(self) -> Wanted:
        attachments = self._board.attachments()
        routable = self._plant.settings.direct_routing
        found = (rules_of(network, direct_routing=routable) for network in self._plant.catalogue)
        rules = [made for made in found if made is not None]
        guards = tuple(guard for each in attachments for guard in guards_of(each, each.endpoints))
        return Wanted(
            bridges=tuple(rules),
            strangers_dropped=self._plant.forwarding.strangers_dropped,
            guards=guards if self._plant.settings.spoof_guard else None,
            forwards=tuple(forward for each in attachments for forward in self._plant.publisher.forwards(each)),
        )

    def _assert_rules(self) -> None:
        wanted = self._wanted()
        self._follow_host(wanted)
        if self._plant.firewall is not None:
            self._plant.firewall.assert_all(wanted)

    def _follow_host(self, wanted: Wanted) -> None:
        if self._plant.host_firewall is not None:
            self._plant.host_firewall.sync(wanted.forwards, [each.bridge_name for each in wanted.bridges])
