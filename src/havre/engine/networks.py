"""The verbs on networks; only this room knows which containers the sandboxes are."""

import asyncio
from typing import Final

from havre.base import clock
from havre.base.errors import HavreError, InvalidInput, NotFound
from havre.engine.ages import parse_until
from havre.engine.network_joins import join, leave, not_joined
from havre.engine.network_shown import passes, shown_container, shown_network
from havre.engine.parts import Parts
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.settings import parse_endpoint
from havre.networks.creation import NetworkWish, SubnetWish
from havre.networks.model import Network, NoSuchNetwork
from havre.networks.networks import Networks
from havre.wire.filters import Filters
from havre.wire.networks import (
    ConnectNetwork,
    CreateNetwork,
    DisconnectNetwork,
    IPAMConfig,
    NetworkCreated,
    PruneNetworksReport,
)
from havre.wire.networks import Network as WireNetwork

_FIELDS: Final = frozenset(["dangling", "driver", "id", "label", "name", "scope", "type"])
_TYPES: Final = frozenset(["builtin", "custom"])
_PRUNE_FIELDS: Final = frozenset({"until", "label", "label!"})


class NetworkService:
    """The verbs on networks. *ref* is a name, an id or the beginning of one."""

    def __init__(self, networks: Networks, parts: Parts) -> None:
        self._networks = networks
        self._parts = parts
        self._pruning = asyncio.Lock()

    async def list(self, filters: Filters) -> list[WireNetwork]:
        """The networks that pass *filters*, without their containers. Raises InvalidInput."""
        unknown = filters.keys() - _FIELDS
        if unknown:
            raise InvalidInput(f"invalid filter '{min(unknown)[:64]}'")
        if strange := filters.get("type", frozenset()) - _TYPES:
            raise InvalidInput(f"invalid filter: 'type'='{min(strange)[:64]}'")
        return [shown_network(network, {}) for network in self._networks.list() if self._passes(network, filters)]

    async def inspect(self, ref: str) -> WireNetwork:
        """One network with the containers that are on it now. Raises NoSuchNetwork."""
        network = self._networks.get(ref)
        containers = {}
        for attachment in self._networks.attachments(network.id):
            container = self._parts.roster.find(attachment.sandbox_id)
            endpoint = attachment.find(network.id)
            if endpoint is not None:
                name = container.name if container is not None else ""
                containers[attachment.sandbox_id] = shown_container(name, endpoint)
        return shown_network(network, containers)

    async def create(self, wanted: CreateNetwork) -> NetworkCreated:
        """Make a network, durably. Raises InvalidInput, Forbidden, NetworkTaken, NotFound for a driver."""
        network = await self._networks.create(_wish(wanted))
        self._tell("create", network)
        return {"Id": network.id, "Warning": ""}

    async def remove(self, ref: str) -> None:
        """Let a network go, durably. Raises NoSuchNetwork, Forbidden for a built-in one and for one in use."""
        network = self._networks.get(ref)
        await self._networks.remove(network)
        self._tell("destroy", network)

    async def prune(self, filters: Filters) -> PruneNetworksReport:
        """Let go of all that no container uses and that pass *filters* (`until`, `label`, `label!`)."""
        unknown = filters.keys() - _PRUNE_FIELDS
        if unknown:
            raise InvalidInput(f"Invalid filter '{min(unknown)[:64]}'")
        until_ns = parse_until(filters.get("until", frozenset()), clock.now_ns())
        deleted: list[str] = []
        async with self._pruning:
            for network in self._networks.list():
                unwanted = any(
                    passes(network, "label", frozenset({value}), used=False) for value in filters.get("label!", ())
                )
                wanted = passes(network, "label", filters.get("label", frozenset()), used=False)
                if network.built_in or network.created_ns > until_ns or unwanted or not wanted:
                    continue
                try:
                    await self._networks.remove(network)
                except HavreError:
                    continue  # in use
                deleted.append(network.name)
                self._tell("destroy", network)
        self._parts.events.publish("network", "prune", "", {"reclaimed": "0"})
        return {"NetworksDeleted": deleted or None}

    async def connect(self, ref: str, wanted: ConnectNetwork) -> None:
        """Connect a container, now if it runs and at its next start. Raises NotFound, InvalidInput, Forbidden."""
        container = self._parts.roster.get(wanted.get("Container") or "")
        network = self._networks.get(ref)
        await join(self._parts, container, network, parse_endpoint(wanted.get("EndpointConfig")))

    async def disconnect(self, ref: str, wanted: DisconnectNetwork) -> None:
        """Take a container off. Raises NotFound, InvalidInput."""
        given = wanted.get("Container") or ""
        try:
            container = self._parts.roster.get(given)
        except NoSuchContainer:
            if wanted.get("Force"):
                self._networks.get(ref)
                raise NotFound(f"endpoint {given} not found") from None
            raise
        await leave(self._parts, container, self._of(container, ref))

    def _of(self, container: Container, ref: str) -> Network:
        """The network *ref*; that it is not there is nothing to one that does not run, which is not on it."""
        try:
            return self._networks.get(ref)
        except NoSuchNetwork:
            if container.record.alive:
                raise
            raise not_joined(container.record, ref) from None

    def _passes(self, network: Network, filters: Filters) -> bool:
        used = bool(self._networks.attachments(network.id))
        return all(passes(network, field, values, used=used) for field, values in filters.items())

    def _tell(self, action: str, network: Network) -> None:
        self._parts.events.publish("network", action, network.id, {"name": network.name, "type": network.driver})


def _wish(wanted: CreateNetwork) -> NetworkWish:
    """The request with Go's zero values where fields are missing or null. Raises InvalidInput."""
    ipam = wanted.get("IPAM") or {}
    source = wanted.get("ConfigFrom") or {}
    if wanted.get("Ingress"):
        raise InvalidInput("Ingress networks need swarm mode, which havre does not offer")
    ipv4 = wanted.get("EnableIPv4")
    return NetworkWish(
        name=wanted.get("Name") or "",
        driver=wanted.get("Driver") or "",
        subnets=tuple(_subnet(each) for each in ipam.get("Config") or ()),
        options=wanted.get("Options") or {},
        labels=wanted.get("Labels") or {},
        internal=wanted.get("Internal") or False,
        attachable=wanted.get("Attachable") or False,
        ipv4=True if ipv4 is None else ipv4,
        ipv6=wanted.get("EnableIPv6") or False,
        scope=wanted.get("Scope") or "",
        ipam_driver=ipam.get("Driver") or "",
        ipam_options=ipam.get("Options"),
        config_only=wanted.get("ConfigOnly") or False,
        config_from=source.get("Network") or "",
    )


def _subnet(given: IPAMConfig) -> SubnetWish:
    return SubnetWish(
        subnet=given.get("Subnet") or "",
        ip_range=given.get("IPRange") or "",
        gateway=given.get("Gateway") or "",
        auxiliary=given.get("AuxiliaryAddresses") or {},
    )
