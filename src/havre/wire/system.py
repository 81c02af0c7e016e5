"""The engine about itself and its host."""

from typing import TypedDict

from havre.wire.containers import ContainerSummary
from havre.wire.images import ImageSummary
from havre.wire.volumes import Volume


class VersionPlatform(TypedDict, total=False):
    """The product."""

    Name: str | None


class VersionComponent(TypedDict, total=False):
    """One part and its version."""

    Name: str | None
    Version: str | None
    Details: dict[str, str] | None


class Version(TypedDict, total=False):
    """What GET /version answers."""

    Platform: VersionPlatform | None
    Components: list[VersionComponent] | None
    Version: str | None
    ApiVersion: str | None
    MinAPIVersion: str | None
    GitCommit: str | None
    GoVersion: str | None
    Os: str | None
    Arch: str | None
    KernelVersion: str | None
    Experimental: bool | None
    BuildTime: str | None


class PluginsInfo(TypedDict, total=False):
    """Drivers by kind."""

    Volume: list[str] | None
    Network: list[str] | None
    Authorization: list[str] | None
    Log: list[str] | None


class IndexInfo(TypedDict, total=False):
    """How one registry is reached."""

    Name: str | None
    Mirrors: list[str] | None
    Secure: bool | None
    Official: bool | None


class RegistryServiceConfig(TypedDict, total=False):
    """How registries are reached."""

    InsecureRegistryCIDRs: list[str] | None
    IndexConfigs: dict[str, IndexInfo] | None
    Mirrors: list[str] | None


class RuntimeInfo(TypedDict, total=False):
    """One OCI runtime."""

    path: str | None
    runtimeArgs: list[str] | None
    status: dict[str, str] | None


class PeerNode(TypedDict, total=False):
    """A manager of the swarm."""

    NodeID: str | None
    Addr: str | None


class SwarmInfo(TypedDict, total=False):
    """This host's place in a swarm."""

    NodeID: str | None
    NodeAddr: str | None
    LocalNodeState: str | None
    ControlAvailable: bool | None
    Error: str | None
    RemoteManagers: list[PeerNode] | None
    Nodes: int | None
    Managers: int | None


class Commit(TypedDict, total=False):
    """The version of a helper program."""

    ID: str | None
    Expected: str | None


class AddressPool(TypedDict, total=False):
    """Subnets that networks are cut from."""

    Base: str | None
    Size: int | None


class ContainerdNamespaces(TypedDict, total=False):
    """The namespaces in containerd."""

    Containers: str | None
    Plugins: str | None


class ContainerdInfo(TypedDict, total=False):
    """The containerd in use."""

    Address: str | None
    Namespaces: ContainerdNamespaces | None


class FirewallInfo(TypedDict, total=False):
    """Who filters."""

    Driver: str | None
    Info: list[list[str]] | None


class DeviceInfo(TypedDict, total=False):
    """A device that can be asked for by name."""

    Source: str | None
    ID: str | None


class Info(TypedDict, total=False):
    """What GET /info answers."""

    ID: str | None
    Containers: int | None
    ContainersRunning: int | None
    ContainersPaused: int | None
    ContainersStopped: int | None
    Images: int | None
    Driver: str | None
    DriverStatus: list[list[str]] | None
    DockerRootDir: str | None
    SystemStatus: list[list[str]] | None
    Plugins: PluginsInfo | None
    MemoryLimit: bool | None
    SwapLimit: bool | None
    KernelMemory: bool | None
    KernelMemoryTCP: bool | None
    CpuCfsPeriod: bool | None
    CpuCfsQuota: bool | None
    CPUShares: bool | None
    CPUSet: bool | None
    PidsLimit: bool | None
    OomKillDisable: bool | None
    IPv4Forwarding: bool | None
    BridgeNfIptables: bool | None
    BridgeNfIp6tables: bool | None
    Debug: bool | None
    NFd: int | None
    NGoroutines: int | None
    SystemTime: str | None
    LoggingDriver: str | None
    CgroupDriver: str | None
    CgroupVersion: str | None
    NEventsListener: int | None
    KernelVersion: str | None
    OperatingSystem: str | None
    OSVersion: str | None
    OSType: str | None
    Architecture: str | None
    NCPU: int | None
    MemTotal: int | None
    IndexServerAddress: str | None
    RegistryConfig: RegistryServiceConfig | None
    GenericResources: list[dict[str, object]] | None
    HttpProxy: str | None
    HttpsProxy: str | None
    NoProxy: str | None
    Name: str | None
    Labels: list[str] | None
    ExperimentalBuild: bool | None
    ServerVersion: str | None
    ClusterStore: str | None
    ClusterAdvertise: str | None
    Runtimes: dict[str, RuntimeInfo] | None
    DefaultRuntime: str | None
    Swarm: SwarmInfo | None
    LiveRestoreEnabled: bool | None
    Isolation: str | None
    InitBinary: str | None
    ContainerdCommit: Commit | None
    RuncCommit: Commit | None
    InitCommit: Commit | None
    SecurityOptions: list[str] | None
    ProductLicense: str | None
    DefaultAddressPools: list[AddressPool] | None
    FirewallBackend: FirewallInfo | None
    DiscoveredDevices: list[DeviceInfo] | None
    CDISpecDirs: list[str] | None
    Containerd: ContainerdInfo | None
    Warnings: list[str] | None


class BuildCacheItem(TypedDict, total=False):
    """One record of the builder's cache."""

    ID: str | None
    Parents: list[str] | None
    Type: str | None
    Description: str | None
    InUse: bool | None
    Shared: bool | None
    Size: int | None
    CreatedAt: str | None
    LastUsedAt: str | None
    UsageCount: int | None


class DiskUsage(TypedDict, total=False):
    """What GET /system/df answers."""

    LayersSize: int | None
    Images: list[ImageSummary] | None
    Containers: list[ContainerSummary] | None
    Volumes: list[Volume] | None
    BuildCache: list[BuildCacheItem] | None
    BuilderSize: int | None


class PruneBuildReport(TypedDict, total=False):
    """What POST /build/prune answers."""

    CachesDeleted: list[str] | None
    SpaceReclaimed: int | None


class CheckLine(TypedDict, total=False):
    """What POST /system/check streams, a line for each problem; *Kind* is blob, layer, image or leftover."""

    Kind: str | None
    Name: str | None
    Problem: str | None
    Repaired: bool | None
