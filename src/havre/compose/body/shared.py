"""From networks and volumes to the bodies of their create requests."""

from __future__ import annotations

from havre.compose.hashes import resource_hash
from havre.compose.model.names import COMPOSE_VERSION, CONFIG_HASH, NETWORK, PROJECT, VERSION, VOLUME
from havre.compose.model.resources import Network, Subnet, Volume
from havre.wire.networks import CreateNetwork, IPAMConfig
from havre.wire.volumes import CreateVolume


def network_body(key: str, network: Network, project: str) -> CreateNetwork:
    """POST /networks/create for the network *key* of *project*."""
    body: CreateNetwork = {
        "Name": network.name,
        "CheckDuplicate": True,
        "Driver": network.driver or "bridge",
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Options": dict(network.driver_opts),
        "Labels": {
            **network.labels,
            PROJECT: project,
            NETWORK: key,
            CONFIG_HASH: resource_hash(network),
            VERSION: COMPOSE_VERSION,
        },
    }
    if network.enable_ipv4 is not None:
        body["EnableIPv4"] = network.enable_ipv4
    if network.enable_ipv6 is not None:
        body["EnableIPv6"] = network.enable_ipv6
    if network.ipam is not None:
        body["IPAM"] = {
            "Driver": network.ipam.driver or "default",
            "Config": [_subnet(subnet) for subnet in network.ipam.config],
            "Options": dict(network.ipam.options),
        }
    return body


def volume_body(key: str, volume: Volume, project: str) -> CreateVolume:
    """POST /volumes/create for the volume *key* of *project*."""
    return {
        "Name": volume.name,
        "Driver": volume.driver or "local",
        "DriverOpts": dict(volume.driver_opts),
        "Labels": {
            **volume.labels,
            PROJECT: project,
            VOLUME: key,
            CONFIG_HASH: resource_hash(volume),
            VERSION: COMPOSE_VERSION,
        },
    }


def _subnet(subnet: Subnet) -> IPAMConfig:
    made: IPAMConfig = {}
    if subnet.subnet:
        made["Subnet"] = subnet.subnet
    if subnet.ip_range:
        made["IPRange"] = subnet.ip_range
    if subnet.gateway:
        made["Gateway"] = subnet.gateway
    if subnet.aux_addresses:
        made["AuxiliaryAddresses"] = dict(subnet.aux_addresses)
    return made
