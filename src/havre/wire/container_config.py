"""How a container is asked for: the half that travels with an image, and the half of this host."""

from typing import TypedDict


class HealthConfig(TypedDict, total=False):
    """How a container's health is probed; times in nanoseconds."""

    Test: list[str] | None
    Interval: int | None
    Timeout: int | None
    Retries: int | None
    StartPeriod: int | None
    StartInterval: int | None


class ImageConfig(TypedDict, total=False):
    """What containers of the image start from. Fields that no image sets are given to old clients."""

    Hostname: str | None
    Domainname: str | None
    User: str | None
    AttachStdin: bool | None
    AttachStdout: bool | None
    AttachStderr: bool | None
    ExposedPorts: dict[str, dict[str, object] | None] | None
    Tty: bool | None
    OpenStdin: bool | None
    StdinOnce: bool | None
    Env: list[str] | None
    Cmd: list[str] | None
    Healthcheck: HealthConfig | None
    ArgsEscaped: bool | None
    Image: str | None
    Volumes: dict[str, dict[str, object] | None] | None
    WorkingDir: str | None
    Entrypoint: list[str] | None
    OnBuild: list[str] | None
    Labels: dict[str, str] | None
    StopSignal: str | None
    Shell: list[str] | None


class Config(ImageConfig, total=False):
    """What does not depend on the host. Where a client sends one text as `Cmd`, `api` makes it a list."""

    NetworkDisabled: bool | None
    MacAddress: str | None
    StopTimeout: int | None


class LogConfig(TypedDict, total=False):
    """Where the output goes."""

    Type: str | None
    Config: dict[str, str] | None


class PortBinding(TypedDict, total=False):
    """One address of the host that leads to a port of the container."""

    HostIp: str | None
    HostPort: str | None


class RestartPolicy(TypedDict, total=False):
    """What happens after the end."""

    Name: str | None
    MaximumRetryCount: int | None


class DeviceMapping(TypedDict, total=False):
    """A device node of the host inside the container."""

    PathOnHost: str | None
    PathInContainer: str | None
    CgroupPermissions: str | None


class DeviceRequest(TypedDict, total=False):
    """Devices asked for by ability instead of by name."""

    Driver: str | None
    Count: int | None
    DeviceIDs: list[str] | None
    Capabilities: list[list[str]] | None
    Options: dict[str, str] | None


class ThrottleDevice(TypedDict, total=False):
    """A rate for one block device."""

    Path: str | None
    Rate: int | None


class WeightDevice(TypedDict, total=False):
    """A share of one block device."""

    Path: str | None
    Weight: int | None


class Ulimit(TypedDict, total=False):
    """A limit of setrlimit(2); -1 is none."""

    Name: str | None
    Soft: int | None
    Hard: int | None


class BindOptions(TypedDict, total=False):
    """Further wishes for a folder of the host."""

    Propagation: str | None
    NonRecursive: bool | None
    CreateMountpoint: bool | None
    ReadOnlyNonRecursive: bool | None
    ReadOnlyForceRecursive: bool | None


class VolumeDriverConfig(TypedDict, total=False):
    """Who makes the volume, and how."""

    Name: str | None
    Options: dict[str, str] | None


class VolumeOptions(TypedDict, total=False):
    """Further wishes for a volume."""

    NoCopy: bool | None
    Labels: dict[str, str] | None
    DriverConfig: VolumeDriverConfig | None
    Subpath: str | None


class ImageOptions(TypedDict, total=False):
    """Further wishes for an image as a mount."""

    Subpath: str | None


class TmpfsOptions(TypedDict, total=False):
    """Further wishes for a file system in memory."""

    SizeBytes: int | None
    Mode: int | None
    Options: list[list[str]] | None


class Mount(TypedDict, total=False):
    """A mount in the long form of `--mount`."""

    Target: str | None
    Source: str | None
    Type: str | None
    ReadOnly: bool | None
    Consistency: str | None
    BindOptions: BindOptions | None
    VolumeOptions: VolumeOptions | None
    ImageOptions: ImageOptions | None
    TmpfsOptions: TmpfsOptions | None
    ClusterOptions: dict[str, object] | None


class Resources(TypedDict, total=False):
    """Limits: what `docker update` can change, too."""

    CpuShares: int | None
    Memory: int | None
    CgroupParent: str | None
    BlkioWeight: int | None
    BlkioWeightDevice: list[WeightDevice] | None
    BlkioDeviceReadBps: list[ThrottleDevice] | None
    BlkioDeviceWriteBps: list[ThrottleDevice] | None
    BlkioDeviceReadIOps: list[ThrottleDevice] | None
    BlkioDeviceWriteIOps: list[ThrottleDevice] | None
    CpuPeriod: int | None
    CpuQuota: int | None
    CpuRealtimePeriod: int | None
    CpuRealtimeRuntime: int | None
    CpusetCpus: str | None
    CpusetMems: str | None
    Devices: list[DeviceMapping] | None
    DeviceCgroupRules: list[str] | None
    DeviceRequests: list[DeviceRequest] | None
    KernelMemory: int | None
    KernelMemoryTCP: int | None
    MemoryReservation: int | None
    MemorySwap: int | None
    MemorySwappiness: int | None
    NanoCpus: int | None
    OomKillDisable: bool | None
    Init: bool | None
    PidsLimit: int | None
    Ulimits: list[Ulimit] | None
    CpuCount: int | None
    CpuPercent: int | None
    IOMaximumIOps: int | None
    IOMaximumBandwidth: int | None


class HostConfig(Resources, total=False):
    """What ties a container to this host."""

    Binds: list[str] | None
    ContainerIDFile: str | None
    LogConfig: LogConfig | None
    NetworkMode: str | None
    PortBindings: dict[str, list[PortBinding] | None] | None
    RestartPolicy: RestartPolicy | None
    AutoRemove: bool | None
    VolumeDriver: str | None
    VolumesFrom: list[str] | None
    Mounts: list[Mount] | None
    ConsoleSize: list[int] | None
    Annotations: dict[str, str] | None
    CapAdd: list[str] | None
    CapDrop: list[str] | None
    CgroupnsMode: str | None
    Dns: list[str] | None
    DnsOptions: list[str] | None
    DnsSearch: list[str] | None
    ExtraHosts: list[str] | None
    GroupAdd: list[str] | None
    IpcMode: str | None
    Cgroup: str | None
    Links: list[str] | None
    OomScoreAdj: int | None
    PidMode: str | None
    Privileged: bool | None
    PublishAllPorts: bool | None
    ReadonlyRootfs: bool | None
    SecurityOpt: list[str] | None
    StorageOpt: dict[str, str] | None
    Tmpfs: dict[str, str] | None
    UTSMode: str | None
    UsernsMode: str | None
    ShmSize: int | None
    Sysctls: dict[str, str] | None
    Runtime: str | None
    Isolation: str | None
    MaskedPaths: list[str] | None
    ReadonlyPaths: list[str] | None
