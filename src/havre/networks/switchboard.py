"""Where sandboxes are connected: every step that blocks, for one thread at a time."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from msgspec.structs import replace

from havre.base.errors import Conflict, Forbidden, InvalidInput
from havre.base.ids import SHORT_LENGTH, new_id
from havre.networks.cabling import Cabling
from havre.networks.model import HOST, AlreadyAttached, Attachment, Endpoint, Wishes
from havre.networks.planning import choose_gateways, plan_endpoint
from havre.networks.plant import Plant
from havre.networks.sandboxes import Remains


class Switchboard:
    """Connects sandboxes to networks and takes them off again.

    What it is told is in the store before the kernel hears of it, and out of it before the kernel's objects go:
    a crash leaves objects without a record, which `Upkeep.reconcile` removes, and never the other way round.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self.cabling = Cabling(plant)
        self._attachments = {each.sandbox_id: each for each in plant.store.attachments()}
        for each in self._attachments.values():
            plant.publisher.retake(each)
            self._know(each, each.endpoints)

    def attachments(self) -> list[Attachment]:
        """All that are known. Safe to call from any thread."""
        return list(self._attachments.values())

    def find(self, sandbox_id: str) -> Attachment | None:
        """The attachment of a sandbox. Safe to call from any thread."""
        return self._attachments.get(sandbox_id)

    def attach(self, sandbox_id: str, wishes: Wishes) -> Attachment:
        """Connect a sandbox; when this raises, nothing is left of the attempt."""
        if sandbox_id in self._attachments:
            raise AlreadyAttached(f"sandbox {sandbox_id} is attached already")
        attachment = self._plan(sandbox_id, wishes)
        with ExitStack() as undo:
            undo.callback(self._plant.publisher.release, sandbox_id)
            attachment = self._plant.publisher.reserve(attachment, wishes)
            undo.callback(self._plant.store.forget_attachment, sandbox_id)
            self._plant.store.save_attachment(attachment)
            if attachment.netns_path:
                self.cabling.found(attachment, undo)
            undo.pop_all()
        self._know(attachment, attachment.endpoints)
        return attachment

    def detach(self, sandbox_id: str) -> None:
        """Take a sandbox off everything; its addresses are free when this returns. An unknown one is no error."""
        attachment = self._attachments.get(sandbox_id)
        if attachment is None:
            return
        self._plant.naming.stop(sandbox_id)
        for endpoint in attachment.endpoints:
            self.cabling.cut(endpoint)
        self.cabling.unguard(attachment, attachment.endpoints)
        self.cabling.unforward(attachment)
        self._plant.publisher.release(sandbox_id)
        self._plant.store.forget_attachment(sandbox_id)
        self._forget(attachment.endpoints)
        del self._attachments[sandbox_id]
        if attachment.netns_path:
            self._plant.undertaker.bury(Remains(netns_path=attachment.netns_path))
        for endpoint in attachment.endpoints:
            if endpoint.host_link:
                self._plant.undertaker.bury(Remains(host_link=endpoint.host_link))

    def connect(self, sandbox_id: str, wishes: Wishes) -> Attachment:
        """Connect an attached sandbox to the one network that *wishes* name; nothing is left when this raises."""
        before = self._attached(sandbox_id)
        (join,) = wishes.joins
        network = self._plant.catalogue.get(join.network)
        if before.find(network.id) is not None:
            raise Forbidden(f"endpoint with name {wishes.name} already exists in network {network.name}")
        endpoint = plan_endpoint(network, join, self._plant.leases, [each.link for each in before.endpoints])
        with ExitStack() as undo:
            after = self._shift(before, replace(before, endpoints=(*before.endpoints, endpoint)), wishes, undo)
            self.cabling.join(before, after, endpoint, undo)
            undo.pop_all()
        after = self._settled(after)
        self._know(after, [endpoint])
        self._plant.naming.change(after)
        return after

    def disconnect(self, sandbox_id: str, network_id: str, wishes: Wishes) -> Attachment:
        """Take an attached sandbox off one network; its address there is free when this returns."""
        before = self._attached(sandbox_id)
        endpoint = before.find(network_id)
        if endpoint is None:
            raise InvalidInput(f"sandbox {sandbox_id} is not connected to network {network_id}")
        after = replace(before, endpoints=tuple(each for each in before.endpoints if each != endpoint))
        self.cabling.cut(endpoint)
        with ExitStack() as undo:
            after = self._shift(before, after, wishes, undo)
            undo.pop_all()
        self._forget([endpoint])
        self._attachments[sandbox_id] = after
        self._plant.naming.change(after)
        self.cabling.leave(before, after, endpoint)
        return self._settled(after)

    def settle(self, attachment: Attachment) -> Attachment:
        """Finish a change that an earlier process was cut off in. Raises KernelError, OSError."""
        self.cabling.settle(attachment)
        return self._settled(attachment)

    def rename(self, sandbox_id: str, names: Mapping[str, tuple[str, ...]]) -> Attachment:
        """Let a sandbox be found by other names: *names* by the id of the network."""
        before = self._attached(sandbox_id)
        endpoints = tuple(
            replace(each, names=names[each.network_id]) if each.names and each.network_id in names else each
            for each in before.endpoints
        )
        after = replace(before, endpoints=endpoints)
        self._plant.store.save_attachment(after)
        self._know(after, endpoints)
        return after

    def _attached(self, sandbox_id: str) -> Attachment:
        attachment = self._attachments.get(sandbox_id)
        if attachment is None or not attachment.netns_path:
            raise Conflict(f"sandbox {sandbox_id} has no network namespace of its own")
        return attachment

    def _plan(self, sandbox_id: str, wishes: Wishes) -> Attachment:
        """What the sandbox will have: chosen, not done."""
        endpoints: list[Endpoint] = []
        for join in wishes.joins:
            network = self._plant.catalogue.get(join.network)
            if any(each.network_id == network.id for each in endpoints):
                raise InvalidInput(f"network {network.name} is given more than once")
            links = [each.link for each in endpoints]
            endpoints.append(plan_endpoint(network, join, self._plant.leases, links))
        namespace_id = new_id()
        on_host = any(each.driver == HOST for each in endpoints)
        return Attachment(
            sandbox_id=sandbox_id,
            namespace_id=namespace_id,
            netns_path="" if on_host else str(self._plant.netns_folder / namespace_id[:SHORT_LENGTH]),
            endpoints=tuple(endpoints),
            any_source=wishes.any_source,
            servers=wishes.servers,
        )

    def _shift(self, before: Attachment, after: Attachment, wishes: Wishes, undo: ExitStack) -> Attachment:
        """*after* written down, with the ports that its way to the world allows; those of *before* are led no more."""
        publisher = self._plant.publisher
        if choose_gateways(before.endpoints) != choose_gateways(after.endpoints):
            undo.callback(self.cabling.forward, before)
            self.cabling.unforward(before)
            if not before.ports:
                undo.callback(publisher.release, before.sandbox_id)
                after = publisher.reserve(after, wishes)
            elif not publisher.leads(after):
                publisher.release(before.sandbox_id)
                after = replace(after, ports=())
            publisher.retarget(after)
        undo.callback(self._plant.store.save_attachment, before)
        self._plant.store.save_attachment(after := replace(after, unsettled=True))
        return after

    def _settled(self, attachment: Attachment) -> Attachment:
        """Note that the kernel has done what the store says."""
        settled = replace(attachment, unsettled=False)
        self._plant.store.save_attachment(settled)
        self._attachments[settled.sandbox_id] = settled
        return settled

    def _know(self, attachment: Attachment, endpoints: Iterable[Endpoint]) -> None:
        """Let it be found, its addresses be taken and its names be known."""
        for endpoint in endpoints:
            self._plant.leases.take(endpoint.network_id, (endpoint.ip_address, endpoint.ipv6_address))
            self._plant.naming.put(endpoint)
        self._attachments[attachment.sandbox_id] = attachment

    def _forget(self, endpoints: Iterable[Endpoint]) -> None:
        for endpoint in endpoints:
            self._plant.leases.give_back(endpoint.network_id, (endpoint.ip_address, endpoint.ipv6_address))
            self._plant.naming.drop(endpoint)
