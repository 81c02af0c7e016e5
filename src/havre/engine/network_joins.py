"""Connecting a container to a network and taking it off: the kernel first if it runs, then its record."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from havre.base.errors import Conflict, Forbidden, InvalidInput
from havre.base.tasks import in_thread
from havre.engine.lifecycle import State
from havre.engine.model import HOST, NONE, SHARED, Record
from havre.engine.modes_check import check_endpoint
from havre.engine.network_wishes import dns_names, wanted_networks
from havre.engine.own_files import follow_change, network_wishes
from havre.engine.parts import Parts
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.settings import EndpointWish
from havre.engine.start import tell_endpoint
from havre.networks.model import Attachment, Network

_SHARING: Final = (
    "container sharing network namespace with another container or host cannot be connected to any other network"
)
_WITH_HOST: Final = "container cannot be disconnected from host network or connected to host network"
_WITH_NONE: Final = "container cannot be connected to multiple networks with one of the networks in private (none) mode"


async def join(parts: Parts, container: Container, network: Network, wish: EndpointWish) -> None:
    """Put *container* on *network*. Raises InvalidInput, Forbidden, Conflict, and what the room networks raises."""
    async with container.lock:
        record = _present(container)
        _check_join(record, network, wish)
        wanted = replace(record, endpoints={**_joined(record), network.name: wish})
        if not record.alive:
            if network.name not in record.endpoints:  # said again it is what was said first, as with Docker
                await _keep(parts, container, wanted)
            return
        before = record.attachment or Attachment(record.id)
        after = await parts.networks.connect(record.id, network_wishes(parts, wanted, [network.name]))
        await _keep(parts, container, replace(wanted, attachment=after))
        await in_thread(follow_change, parts, wanted, before, after)
    endpoint = after.find(network.id)
    if endpoint is not None:
        tell_endpoint(parts, container.id, "connect", endpoint)


async def leave(parts: Parts, container: Container, network: Network) -> None:
    """Take *container* off *network*. Raises InvalidInput, Forbidden, and what the room networks raises."""
    async with container.lock:
        record = _present(container)
        if network.name == HOST and record.host.network_mode == HOST:
            raise InvalidInput(_WITH_HOST)
        endpoints = wanted_networks(record)
        if network.name not in endpoints:
            raise not_joined(record, network.name)
        del endpoints[network.name]
        wanted = replace(record, endpoints=endpoints)
        before = record.attachment or Attachment(record.id)
        endpoint = before.find(network.id)
        if not record.alive or endpoint is None:
            await _keep(parts, container, wanted)
            return
        after = await parts.networks.disconnect(record.id, network.id, network_wishes(parts, wanted, ()))
        await _keep(parts, container, replace(wanted, attachment=after))
        await in_thread(follow_change, parts, wanted, before, after)
    tell_endpoint(parts, container.id, "disconnect", endpoint)


def not_joined(record: Record, network: str) -> Forbidden:
    """What Docker says of a container that is to leave *network* and is not on it; of one that ended, otherwise."""
    the = "" if record.alive else "the "
    return Forbidden(f"container {record.id} is not connected to {the}network {network}")


async def tell_names(parts: Parts, container: Container) -> None:
    """Let the neighbours of a container that runs find it by the name that it has now."""
    record = container.record
    attachment = record.attachment
    if not record.alive or attachment is None or not attachment.netns_path or not attachment.endpoints:
        return
    wishes = wanted_networks(record)
    names = {
        each.network_id: dns_names(record, wishes[each.network_name])
        for each in attachment.endpoints
        if each.network_name in wishes
    }
    try:
        renamed = await parts.networks.rename(record.id, names)
    except Conflict:
        return  # it has ended meanwhile, and is found by no name
    if container.record.alive:
        parts.change(container, replace(container.record, attachment=renamed))


def agreed(record: Record, attachment: Attachment | None) -> Record:
    """*record* of a container that lives, brought together with how it is attached.

    A crash between the kernel's change and the record's leaves them apart; what is connected is right.
    """
    if attachment is None or not record.alive or attachment == record.attachment:
        return record
    wished = wanted_networks(record)
    names = [each.network_name for each in attachment.endpoints]
    endpoints: Mapping[str, EndpointWish] = {name: wished.get(name, EndpointWish()) for name in names}
    return replace(record, attachment=attachment, endpoints=dict(endpoints))


def _present(container: Container) -> Record:
    record = container.record
    if container.gone:
        raise NoSuchContainer(f"No such container: {container.id}")
    if record.state in {State.REMOVING, State.DEAD}:
        raise Conflict(
            f"container {record.id} is marked for removal and cannot be connected or disconnected to the network"
        )
    return record


def _joined(record: Record) -> dict[str, EndpointWish]:
    """The networks that it is on; none, not that of its mode, when it was taken off all of them before its start."""
    return wanted_networks(record) if record.endpoints else {}


def _check_join(record: Record, network: Network, wish: EndpointWish) -> None:
    mode = record.host.network_mode
    endpoints = _joined(record)
    if network.name == HOST and mode != HOST:
        raise InvalidInput(_WITH_HOST)
    if mode == HOST or mode.startswith(SHARED):
        raise InvalidInput(_SHARING)
    if network.name in endpoints and record.alive:
        raise Forbidden(f"endpoint with name {record.name} already exists in network {network.name}")
    if NONE in endpoints or (network.name == NONE and endpoints):
        raise InvalidInput(_WITH_NONE)
    check_endpoint(network.name, wish)


async def _keep(parts: Parts, container: Container, record: Record) -> None:
    """Durably; what happened to the container meanwhile stays true."""
    now = container.record
    kept = replace(now, endpoints=record.endpoints, attachment=record.attachment if now.alive else now.attachment)
    parts.keep(container, kept)
    await parts.records.save(kept)
