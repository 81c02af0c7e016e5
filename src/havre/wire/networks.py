"""Networks, and how a container is on one."""

from typing import TypedDict


class EndpointIPAMConfig(TypedDict, total=False):
    """Addresses that were asked for."""

    IPv4Address: str | None
    IPv6Address: str | None
    LinkLocalIPs: list[str] | None


class EndpointSettings(TypedDict, total=False):
    """One container on one network: what was asked for and what it got."""

    IPAMConfig: EndpointIPAMConfig | None
    Links: list[str] | None
    MacAddress: str | None
    Aliases: list[str] | None
    DriverOpts: dict[str, str] | None
    GwPriority: int | None
    NetworkID: str | None
    EndpointID: str | None
    Gateway: str | None
    IPAddress: str | None
    IPPrefixLen: int | None
    IPv6Gateway: str | None
    GlobalIPv6Address: str | None
    GlobalIPv6PrefixLen: int | None
    DNSNames: list[str] | None


class NetworkingConfig(TypedDict, total=False):
    """The networks of a container to be made, by name."""

    EndpointsConfig: dict[str, EndpointSettings | None] | None


class IPAMConfig(TypedDict, total=False):
    """One subnet of a network."""

    Subnet: str | None
    IPRange: str | None
    Gateway: str | None
    AuxiliaryAddresses: dict[str, str] | None


class IPAM(TypedDict, total=False):
    """How a network hands out addresses."""

    Driver: str | None
    Config: list[IPAMConfig] | None
    Options: dict[str, str] | None


class ConfigReference(TypedDict, total=False):
    """The network whose configuration is borrowed."""

    Network: str | None


class NetworkContainer(TypedDict, total=False):
    """A container that is on the network now."""

    Name: str | None
    EndpointID: str | None
    MacAddress: str | None
    IPv4Address: str | None
    IPv6Address: str | None


class PeerInfo(TypedDict, total=False):
    """Another host of the same network."""

    Name: str | None
    IP: str | None


class Network(TypedDict, total=False):
    """What GET /networks/{id} answers."""

    Name: str | None
    Id: str | None
    Created: str | None
    Scope: str | None
    Driver: str | None
    EnableIPv4: bool | None
    EnableIPv6: bool | None
    IPAM: IPAM | None
    Internal: bool | None
    Attachable: bool | None
    Ingress: bool | None
    ConfigFrom: ConfigReference | None
    ConfigOnly: bool | None
    Containers: dict[str, NetworkContainer] | None
    Options: dict[str, str] | None
    Labels: dict[str, str] | None
    Peers: list[PeerInfo] | None


class CreateNetwork(TypedDict, total=False):
    """What POST /networks/create takes."""

    Name: str | None
    CheckDuplicate: bool | None
    Driver: str | None
    Scope: str | None
    Internal: bool | None
    Attachable: bool | None
    Ingress: bool | None
    ConfigOnly: bool | None
    ConfigFrom: ConfigReference | None
    IPAM: IPAM | None
    EnableIPv4: bool | None
    EnableIPv6: bool | None
    Options: dict[str, str] | None
    Labels: dict[str, str] | None


class ConnectNetwork(TypedDict, total=False):
    """What POST /networks/{id}/connect takes."""

    Container: str | None
    EndpointConfig: EndpointSettings | None


class DisconnectNetwork(TypedDict, total=False):
    """What POST /networks/{id}/disconnect takes."""

    Container: str | None
    Force: bool | None


class NetworkCreated(TypedDict, total=False):
    """What POST /networks/create answers."""

    Id: str | None
    Warning: str | None


class PruneNetworksReport(TypedDict, total=False):
    """What POST /networks/prune answers."""

    NetworksDeleted: list[str] | None
