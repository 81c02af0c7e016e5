"""Networks as the Engine API shows them; only this room knows which containers the sandboxes are."""

from ipaddress import IPv4Network
from typing import Final

from havre.base import clock
from havre.base.errors import InvalidInput
from havre.engine.roster import Roster
from havre.networks.model import Attachment, Network
from havre.networks.networks import Networks
from havre.wire.filters import Filters
from havre.wire.networks import IPAMConfig, NetworkContainer
from havre.wire.networks import Network as WireNetwork

_FIELDS: Final = frozenset(["dangling", "driver", "id", "label", "name", "scope", "type"])
_BUILT_IN: Final = frozenset({"bridge", "host", "none"})


class NetworkService:
    """The verbs on networks."""

    def __init__(self, networks: Networks, roster: Roster) -> None:
        self._networks = networks
        self._roster = roster

    async def list(self, filters: Filters) -> list[WireNetwork]:
        """The networks that pass *filters*, without their containers. Raises InvalidInput."""
        unknown = filters.keys() - _FIELDS
        if unknown:
            raise InvalidInput(f"invalid filter '{min(unknown)[:64]}'")
        return [_shown(network, {}) for network in self._networks.list() if self._passes(network, filters)]

    async def inspect(self, ref: str) -> WireNetwork:
        """One network with the containers that are on it now. Raises NoSuchNetwork."""
        network = self._networks.get(ref)
        attached = self._networks.attachments(network.id)
        return _shown(network, {one.sandbox_id: self._container(one) for one in attached})

    def _container(self, attachment: Attachment) -> NetworkContainer:
        container = self._roster.find(attachment.sandbox_id)
        address = attachment.ip_address
        return {
            "Name": container.name if container is not None else "",
            "EndpointID": attachment.endpoint_id,
            "MacAddress": attachment.mac_address,
            "IPv4Address": f"{address}/{attachment.ip_prefix_len}" if address else "",
            "IPv6Address": "",
        }

    def _passes(self, network: Network, filters: Filters) -> bool:
        used = bool(self._networks.attachments(network.id))
        own = {
            "driver": {network.driver},
            "scope": {network.scope},
            "type": {"builtin" if network.name in _BUILT_IN else "custom"},
            "dangling": {"false", "0"} if used or network.name in _BUILT_IN else {"true", "1"},
        }
        for field, values in filters.items():
            if field in own and values and not own[field] & values:
                return False
            if field == "name" and not any(value in network.name for value in values):
                return False
            if field == "id" and not any(network.id.startswith(value) for value in values):
                return False
            if field == "label" and not all(_has_label(network, value) for value in values):
                return False
        return True


def _has_label(network: Network, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in network.labels and (not equals or network.labels[key] == value)


def _shown(network: Network, containers: dict[str, NetworkContainer]) -> WireNetwork:
    pool: list[IPAMConfig] = []
    if network.subnet:
        pool.append({"Subnet": str(IPv4Network(network.subnet)), "Gateway": network.gateway})
        if network.ip_range:
            pool[0]["IPRange"] = network.ip_range
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": clock.rfc3339(network.created_ns),
        "Scope": network.scope,
        "Driver": network.driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": pool},
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": containers,
        "Options": network.options,
        "Labels": network.labels,
    }
