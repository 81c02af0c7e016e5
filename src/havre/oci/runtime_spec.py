"""The runtime configuration (runtime-spec 1.2, config.md and config-linux.md), as far as Linux needs it.

Unknown fields are passed over, as the specification asks of a runtime.
"""

import msgspec

from havre.base.errors import InvalidInput

VERSION = "1.2.0"
MAX_SPEC_BYTES = 4 << 20


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    pass


class Root(_Part, frozen=True):
    """The container's root folder on the host."""

    path: str
    readonly: bool = False


class IDMapping(_Part, frozen=True, rename={"container_id": "containerID", "host_id": "hostID"}):
    """A range of ids: *size* from *container_id* inside, from *host_id* outside."""

    container_id: int
    host_id: int
    size: int


class Mount(_Part, frozen=True):
    """One mount, as mount(8) writes it; *destination* is inside the container."""

    destination: str
    type: str = ""
    source: str = ""
    options: list[str] | None = None
    uid_mappings: list[IDMapping] | None = None
    gid_mappings: list[IDMapping] | None = None


class ConsoleSize(_Part, frozen=True):
    """Character cells of a terminal."""

    height: int = 0
    width: int = 0


class User(_Part, frozen=True):
    """Who the process is, by number; *umask* None keeps 0022."""

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: list[int] | None = None


class Capabilities(_Part, frozen=True):
    """The five sets of capabilities(7), by name."""

    bounding: list[str] | None = None
    effective: list[str] | None = None
    inheritable: list[str] | None = None
    permitted: list[str] | None = None
    ambient: list[str] | None = None


class Rlimit(_Part, frozen=True):
    """One limit of setrlimit(2), by name."""

    type: str
    hard: int
    soft: int


class Process(_Part, frozen=True):
    """What to execute and as what."""

    terminal: bool = False
    console_size: ConsoleSize | None = None
    user: User = User()
    args: list[str] | None = None
    env: list[str] | None = None
    cwd: str = "/"
    capabilities: Capabilities | None = None
    rlimits: list[Rlimit] | None = None
    no_new_privileges: bool = False
    apparmor_profile: str = ""
    selinux_label: str = ""
    oom_score_adj: int | None = None


class Namespace(_Part, frozen=True):
    """A namespace to make, or with *path* to join: pid network mount ipc uts user cgroup time."""

    type: str
    path: str = ""


class Device(_Part, frozen=True):
    """A device node to make: c, u, b or p."""

    path: str
    type: str
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    uid: int | None = None
    gid: int | None = None


class DeviceRule(_Part, frozen=True):
    """A rule of the devices cgroup; None matches any number."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


class MemoryLimits(_Part, frozen=True, rename={"disable_oom_killer": "disableOOMKiller"}):
    """Bytes; *swap* is memory plus swap; -1 is unlimited."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool | None = None


class CPULimits(_Part, frozen=True):
    """*shares* relative; *quota* and *period* in microseconds; *cpus* and *mems* as lists like `0-2,4`."""

    shares: int | None = None
    quota: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    burst: int | None = None
    idle: int | None = None


class PidsLimit(_Part, frozen=True):
    """The most processes and threads; 0 or less is unlimited."""

    limit: int


class WeightDevice(_Part, frozen=True):
    """The weight of one block device."""

    major: int
    minor: int
    weight: int | None = None


class ThrottleDevice(_Part, frozen=True):
    """A rate, in bytes or operations a second, for one block device."""

    major: int
    minor: int
    rate: int


class BlockIO(
    _Part,
    frozen=True,
    rename={
        "throttle_read_bps_device": "throttleReadBpsDevice",
        "throttle_write_bps_device": "throttleWriteBpsDevice",
        "throttle_read_iops_device": "throttleReadIOPSDevice",
        "throttle_write_iops_device": "throttleWriteIOPSDevice",
        "weight_device": "weightDevice",
    },
):
    """Weights (10 to 1000) and throttles of block devices."""

    weight: int | None = None
    weight_device: list[WeightDevice] | None = None
    throttle_read_bps_device: list[ThrottleDevice] | None = None
    throttle_write_bps_device: list[ThrottleDevice] | None = None
    throttle_read_iops_device: list[ThrottleDevice] | None = None
    throttle_write_iops_device: list[ThrottleDevice] | None = None


class HugepageLimit(_Part, frozen=True):
    """The most bytes in huge pages of one size, written like `2MB`."""

    page_size: str
    limit: int


class RdmaLimit(_Part, frozen=True):
    """The most handles and objects of one RDMA device."""

    hca_handles: int | None = None
    hca_objects: int | None = None


class InterfacePriority(_Part, frozen=True):
    """The priority of traffic that leaves through one interface."""

    name: str
    priority: int


class NetworkLimits(_Part, frozen=True, rename={"class_id": "classID"}):
    """The marks that cgroup v1 puts on traffic."""

    class_id: int | None = None
    priorities: list[InterfacePriority] | None = None


class Resources(_Part, frozen=True, rename={"block_io": "blockIO", "hugepage_limits": "hugepageLimits"}):
    """What a cgroup limits."""

    devices: list[DeviceRule] | None = None
    memory: MemoryLimits | None = None
    cpu: CPULimits | None = None
    pids: PidsLimit | None = None
    block_io: BlockIO | None = None
    hugepage_limits: list[HugepageLimit] | None = None
    rdma: dict[str, RdmaLimit] | None = None
    network: NetworkLimits | None = None
    unified: dict[str, str] | None = None


class SeccompArg(_Part, frozen=True):
    """A condition on one argument: *op* is SCMP_CMP_NE, LT, LE, EQ, GE, GT or MASKED_EQ."""

    index: int
    value: int
    value_two: int = 0
    op: str = "SCMP_CMP_EQ"


class SeccompRule(_Part, frozen=True):
    """What happens to calls by these names when every condition holds."""

    names: list[str]
    action: str
    errno_ret: int | None = None
    args: list[SeccompArg] | None = None


class Seccomp(_Part, frozen=True):
    """A filter of system calls; *architectures* like SCMP_ARCH_X86_64."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: list[str] | None = None
    flags: list[str] | None = None
    syscalls: list[SeccompRule] | None = None


class Linux(
    _Part,
    frozen=True,
    rename={
        "uid_mappings": "uidMappings",
        "gid_mappings": "gidMappings",
        "cgroups_path": "cgroupsPath",
        "rootfs_propagation": "rootfsPropagation",
        "masked_paths": "maskedPaths",
        "readonly_paths": "readonlyPaths",
        "mount_label": "mountLabel",
    },
):
    """What is Linux's own."""

    uid_mappings: list[IDMapping] | None = None
    gid_mappings: list[IDMapping] | None = None
    sysctl: dict[str, str] | None = None
    resources: Resources | None = None
    cgroups_path: str = ""
    namespaces: list[Namespace] | None = None
    devices: list[Device] | None = None
    seccomp: Seccomp | None = None
    rootfs_propagation: str = ""
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    mount_label: str = ""


class Hook(_Part, frozen=True):
    """A program to run at a point of the lifecycle; *timeout* in seconds."""

    path: str
    args: list[str] | None = None
    env: list[str] | None = None
    timeout: int | None = None


class Hooks(_Part, frozen=True):
    """Programs to run, by point of the lifecycle (config.md, "POSIX-platform Hooks")."""

    prestart: list[Hook] | None = None
    create_runtime: list[Hook] | None = None
    create_container: list[Hook] | None = None
    start_container: list[Hook] | None = None
    poststart: list[Hook] | None = None
    poststop: list[Hook] | None = None


class Spec(_Part, frozen=True):
    """A whole config.json."""

    oci_version: str
    process: Process | None = None
    root: Root | None = None
    hostname: str = ""
    domainname: str = ""
    mounts: list[Mount] | None = None
    hooks: Hooks | None = None
    linux: Linux | None = None
    annotations: dict[str, str] | None = None


def decode(data: bytes) -> Spec:
    """Raises InvalidInput for what is not a runtime config."""
    if len(data) > MAX_SPEC_BYTES:
        raise InvalidInput(f"runtime config of {len(data)} bytes is larger than {MAX_SPEC_BYTES}")
    try:
        return msgspec.json.decode(data, type=Spec)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"invalid runtime config: {error}") from error


def encode(spec: Spec) -> bytes:
    """The JSON of a config.json."""
    return msgspec.json.encode(spec)
