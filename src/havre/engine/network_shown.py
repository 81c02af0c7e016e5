"""Networks as the Engine API shows them. Pure."""

from collections.abc import Iterable, Mapping

from havre.base import clock
from havre.networks.model import Endpoint, Network
from havre.wire.networks import IPAMConfig, NetworkContainer
from havre.wire.networks import Network as WireNetwork


def shown_network(network: Network, containers: Mapping[str, NetworkContainer]) -> WireNetwork:
    """One network in full."""
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": clock.rfc3339(network.created_ns),
        "Scope": network.scope,
        "Driver": network.driver if not network.config_only else "null",
        "EnableIPv4": network.ipv4,
        "EnableIPv6": network.ipv6,
        "IPAM": {
            "Driver": network.ipam_driver,
            "Options": network.ipam_options,
            "Config": list(_pools(network)),
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": network.config_from},
        "ConfigOnly": network.config_only,
        "Containers": dict(containers),
        "Options": network.options,
        "Labels": network.labels,
    }


def _pools(network: Network) -> Iterable[IPAMConfig]:
    for each in network.subnets:
        pool: IPAMConfig = {"Subnet": each.subnet}
        if each.ip_range:
            pool["IPRange"] = each.ip_range
        if each.gateway and each.shown:
            pool["Gateway"] = each.gateway
        if each.auxiliary:
            pool["AuxiliaryAddresses"] = each.auxiliary
        yield pool


def shown_container(name: str, endpoint: Endpoint) -> NetworkContainer:
    """A container that is on the network now."""
    return {
        "Name": name,
        "EndpointID": endpoint.endpoint_id,
        "MacAddress": endpoint.mac_address,
        "IPv4Address": f"{endpoint.ip_address}/{endpoint.ip_prefix_len}" if endpoint.ip_address else "",
        "IPv6Address": f"{endpoint.ipv6_address}/{endpoint.ipv6_prefix_len}" if endpoint.ipv6_address else "",
    }


def passes(network: Network, field: str, values: frozenset[str], *, used: bool) -> bool:
    """Whether *network* is one of those that a filter asks for; *used* by a container that runs."""
    own = {
        "driver": {network.driver},
        "scope": {network.scope},
        "type": {"builtin" if network.built_in else "custom"},
        "dangling": {"false", "0", "False"} if used or network.built_in else {"true", "1", "True"},
    }
    if field in own:
        return not values or bool(own[field] & values)
    if field == "name":
        return any(value in network.name for value in values)
    if field == "id":
        return any(network.id.startswith(value) for value in values)
    return all(_has_label(network, value) for value in values) if field == "label" else True


def _has_label(network: Network, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in network.labels and (not equals or network.labels[key] == value)
