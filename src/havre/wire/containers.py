"""Containers as the API takes and gives them."""

from typing import TypedDict

from havre.wire.container_config import Config, HostConfig, Mount, PortBinding, Resources, RestartPolicy
from havre.wire.images import Descriptor, GraphDriver
from havre.wire.networks import EndpointSettings, NetworkingConfig


class CreateContainer(Config, total=False):
    """What POST /containers/create takes: the Config at top level, the rest beside it."""

    HostConfig: HostConfig | None
    NetworkingConfig: NetworkingConfig | None


class CreateResponse(TypedDict, total=False):
    """What POST /containers/create answers."""

    Id: str | None
    Warnings: list[str] | None


class BirthStep(TypedDict, total=False):
    """One step of a start, in nanoseconds since the engine began it; Havre's own."""

    Step: str | None
    Start: int | None
    Duration: int | None


class UpdateContainer(Resources, total=False):
    """What POST /containers/{id}/update takes; from Env on, Havre's own.

    Variables and mounts take the place of those of the same name or place. A variable without `=`, a label that is
    null, a port without bindings and what stands at RemovedMounts go.
    """

    RestartPolicy: RestartPolicy | None
    Env: list[str] | None
    Labels: dict[str, str | None] | None
    PortBindings: dict[str, list[PortBinding] | None] | None
    Binds: list[str] | None
    Mounts: list[Mount] | None
    RemovedMounts: list[str] | None


class UpdateResponse(TypedDict, total=False):
    """What POST /containers/{id}/update answers."""

    Warnings: list[str] | None


class WaitError(TypedDict, total=False):
    """Why waiting failed."""

    Message: str | None


class WaitResponse(TypedDict, total=False):
    """What POST /containers/{id}/wait answers at the end."""

    StatusCode: int | None
    Error: WaitError | None


class TopResponse(TypedDict, total=False):
    """What GET /containers/{id}/top answers."""

    Titles: list[str] | None
    Processes: list[list[str]] | None


class Port(TypedDict, total=False):
    """A port in a row of `docker ps`."""

    IP: str | None
    PrivatePort: int | None
    PublicPort: int | None
    Type: str | None


class MountPoint(TypedDict, total=False):
    """A mount as the container has it."""

    Type: str | None
    Name: str | None
    Source: str | None
    Destination: str | None
    Driver: str | None
    Mode: str | None
    RW: bool | None
    Propagation: str | None


class SummaryHostConfig(TypedDict, total=False):
    """The little of the host's half that a row tells."""

    NetworkMode: str | None
    Annotations: dict[str, str] | None


class SummaryNetworkSettings(TypedDict, total=False):
    """The networks of a row."""

    Networks: dict[str, EndpointSettings] | None


class ContainerSummary(TypedDict, total=False):
    """One row of GET /containers/json."""

    Id: str | None
    Names: list[str] | None
    Image: str | None
    ImageID: str | None
    ImageManifestDescriptor: Descriptor | None
    Command: str | None
    Created: int | None
    Ports: list[Port] | None
    SizeRw: int | None
    SizeRootFs: int | None
    Labels: dict[str, str] | None
    State: str | None
    Status: str | None
    HostConfig: SummaryHostConfig | None
    NetworkSettings: SummaryNetworkSettings | None
    Mounts: list[MountPoint] | None


class HealthcheckResult(TypedDict, total=False):
    """One probe."""

    Start: str | None
    End: str | None
    ExitCode: int | None
    Output: str | None


class Health(TypedDict, total=False):
    """What the probes say."""

    Status: str | None
    FailingStreak: int | None
    Log: list[HealthcheckResult] | None


class ContainerState(TypedDict, total=False):
    """The state in full."""

    Status: str | None
    Running: bool | None
    Paused: bool | None
    Restarting: bool | None
    OOMKilled: bool | None
    Dead: bool | None
    Pid: int | None
    ExitCode: int | None
    Error: str | None
    StartedAt: str | None
    FinishedAt: str | None
    Health: Health | None


class Address(TypedDict, total=False):
    """An address and the length of its network's prefix."""

    Addr: str | None
    PrefixLen: int | None


class NetworkSettings(TypedDict, total=False):
    """The networks of one container; what is beside `Networks` repeats the default bridge."""

    Bridge: str | None
    SandboxID: str | None
    SandboxKey: str | None
    HairpinMode: bool | None
    LinkLocalIPv6Address: str | None
    LinkLocalIPv6PrefixLen: int | None
    Ports: dict[str, list[PortBinding] | None] | None
    SecondaryIPAddresses: list[Address] | None
    SecondaryIPv6Addresses: list[Address] | None
    EndpointID: str | None
    Gateway: str | None
    GlobalIPv6Address: str | None
    GlobalIPv6PrefixLen: int | None
    IPAddress: str | None
    IPPrefixLen: int | None
    IPv6Gateway: str | None
    MacAddress: str | None
    Networks: dict[str, EndpointSettings] | None


class ContainerInspect(TypedDict, total=False):
    """What GET /containers/{id}/json answers."""

    Id: str | None
    Created: str | None
    Path: str | None
    Args: list[str] | None
    State: ContainerState | None
    Image: str | None
    ResolvConfPath: str | None
    HostnamePath: str | None
    HostsPath: str | None
    LogPath: str | None
    Name: str | None
    RestartCount: int | None
    Driver: str | None
    Platform: str | None
    ImageManifestDescriptor: Descriptor | None
    MountLabel: str | None
    ProcessLabel: str | None
    AppArmorProfile: str | None
    ExecIDs: list[str] | None
    HostConfig: HostConfig | None
    GraphDriver: GraphDriver | None
    SizeRw: int | None
    SizeRootFs: int | None
    Mounts: list[MountPoint] | None
    Config: Config | None
    NetworkSettings: NetworkSettings | None


class FilesystemChange(TypedDict, total=False):
    """One difference to the image: Kind 0 modified, 1 added, 2 deleted."""

    Path: str | None
    Kind: int | None


class PruneContainersReport(TypedDict, total=False):
    """What POST /containers/prune answers."""

    ContainersDeleted: list[str] | None
    SpaceReclaimed: int | None
