"""How a container was asked for, as values with every field in place.

The API's objects arrive with fields missing or null; Go reads both as the zero value. `parse_config` and
`parse_host` do the same once, so that the rest of the room never asks whether a field is there. Fields
that keep the difference between null and empty are marked by `| None`.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from havre.base.errors import InvalidInput
from havre.oci.image_config import Empty, Healthcheck
from havre.wire.containers import CreateContainer
from havre.wire.networks import EndpointSettings

_SPECIAL: Final = {
    "container_id_file": "ContainerIDFile",
    "uts_mode": "UTSMode",
    "blkio_device_read_iops": "BlkioDeviceReadIOps",
    "blkio_device_write_iops": "BlkioDeviceWriteIOps",
    "io_maximum_iops": "IOMaximumIOps",
    "io_maximum_bandwidth": "IOMaximumBandwidth",
    "kernel_memory_tcp": "KernelMemoryTCP",
    "device_ids": "DeviceIDs",
    "ipam_config": "IPAMConfig",
    "ipv4_address": "IPv4Address",
    "ipv6_address": "IPv6Address",
    "link_local_ips": "LinkLocalIPs",
}


def _api_name(field: str) -> str:
    return _SPECIAL.get(field) or "".join(part.capitalize() for part in field.split("_"))


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename=_api_name):
    pass


class Config(_Part, frozen=True):
    """What does not depend on the host."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, Empty] = {}
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] | None = None
    cmd: list[str] | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, Empty] | None = None
    working_dir: str = ""
    entrypoint: list[str] | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: list[str] = []


class LogSettings(_Part, frozen=True):
    """Where the output goes."""

    type: str = ""
    config: dict[str, str] = {}


class PortBinding(_Part, frozen=True):
    """One address of the host that leads to a port of the container."""

    host_ip: str = ""
    host_port: str = ""


class RestartPolicy(_Part, frozen=True):
    """What happens after the end."""

    name: str = ""
    maximum_retry_count: int = 0


class DeviceWish(_Part, frozen=True):
    """A device node of the host inside the container."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(_Part, frozen=True):
    """Devices asked for by ability instead of by name."""

    driver: str = ""
    count: int = 0
    device_ids: list[str] | None = None
    capabilities: list[list[str]] | None = None
    options: dict[str, str] | None = None


class Throttle(_Part, frozen=True):
    """A rate for one block device."""

    path: str = ""
    rate: int = 0


class Weight(_Part, frozen=True):
    """A share of one block device."""

    path: str = ""
    weight: int = 0


class Ulimit(_Part, frozen=True):
    """A limit of setrlimit(2); -1 is none."""

    name: str = ""
    hard: int = 0
    soft: int = 0


class BindOptions(_Part, frozen=True, omit_defaults=True):
    """Further wishes for a folder of the host."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class TmpfsOptions(_Part, frozen=True, omit_defaults=True):
    """Further wishes for a file system in memory."""

    size_bytes: int = 0
    mode: int = 0
    options: list[list[str]] | None = None


class VolumeDriver(_Part, frozen=True, omit_defaults=True):
    """Who makes the volume of a mount, and how."""

    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(_Part, frozen=True, omit_defaults=True):
    """Of a mount of type volume."""

    no_copy: bool = False
    labels: dict[str, str] | None = None
    driver_config: VolumeDriver | None = None
    subpath: str = ""


class ImageOptions(_Part, frozen=True, omit_defaults=True):
    """Of a mount of type image."""

    subpath: str = ""


class MountWish(_Part, frozen=True, omit_defaults=True):
    """A mount in the long form of `--mount`; options of clusters are kept as they came."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    cluster_options: dict[str, object] | None = None


class HostConfig(_Part, frozen=True):
    """What ties a container to this host."""

    binds: list[str] | None = None
    container_id_file: str = ""
    log_config: LogSettings = LogSettings()
    network_mode: str = ""
    port_bindings: dict[str, list[PortBinding] | None] = {}
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] | None = None
    console_size: tuple[int, int] = (0, 0)
    annotations: dict[str, str] | None = None
    cap_add: list[str] | None = None
    cap_drop: list[str] | None = None
    cgroupns_mode: str = ""
    dns: list[str] | None = None
    dns_options: list[str] | None = None
    dns_search: list[str] | None = None
    extra_hosts: list[str] | None = None
    group_add: list[str] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] | None = None
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] | None = None
    storage_opt: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = ""
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    isolation: str = ""
    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: list[Weight] | None = None
    blkio_device_read_bps: list[Throttle] | None = None
    blkio_device_write_bps: list[Throttle] | None = None
    blkio_device_read_iops: list[Throttle] | None = None
    blkio_device_write_iops: list[Throttle] | None = None
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceWish] | None = None
    device_cgroup_rules: list[str] | None = None
    device_requests: list[DeviceRequest] | None = None
    kernel_memory: int = 0
    kernel_memory_tcp: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] | None = None
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: int = 0
    io_maximum_bandwidth: int = 0
    mounts: list[MountWish] | None = None
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None


class AddressWish(_Part, frozen=True):
    """Addresses that were asked for on one network."""

    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] | None = None


class EndpointWish(_Part, frozen=True):
    """What was asked for on one network."""

    ipam_config: AddressWish | None = None
    links: list[str] | None = None
    aliases: list[str] | None = None
    mac_address: str = ""
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0


# Objects that become values of their own; in all others (labels, options …) a null is the client's error.
_NESTED: Final = frozenset(
    [
        "HostConfig",
        "LogConfig",
        "RestartPolicy",
        "Healthcheck",
        "Mounts",
        "BindOptions",
        "ImageOptions",
        "TmpfsOptions",
        "VolumeOptions",
        "DriverConfig",
        "Devices",
        "Ulimits",
        "BlkioWeightDevice",
        "BlkioDeviceReadBps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteIOps",
        "DeviceRequests",
        "IPAMConfig",
    ]
)
_SETS: Final = frozenset({"ExposedPorts", "Volumes"})
_T = TypeVar("_T")


def parse_config(wanted: CreateContainer) -> Config:
    """The half of *wanted* that does not depend on the host. Raises InvalidInput."""
    return _convert(_zeroed({**wanted}), Config)


def parse_host(wanted: CreateContainer) -> HostConfig:
    """The half of *wanted* that depends on the host. Raises InvalidInput."""
    return _convert(_zeroed({**(wanted.get("HostConfig") or {})}), HostConfig)


def parse_endpoints(wanted: CreateContainer) -> dict[str, EndpointWish]:
    """The networks of *wanted*, by the names the client gave. Raises InvalidInput."""
    networking = wanted.get("NetworkingConfig") or {}
    given = networking.get("EndpointsConfig") or {}
    return {name: parse_endpoint(wish) for name, wish in given.items()}


def parse_endpoint(wish: EndpointSettings | None) -> EndpointWish:
    """What is asked of one network. Raises InvalidInput."""
    return _convert(_zeroed({**(wish or {})}), EndpointWish)


def _convert(given: dict[str, object], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(given, kind)
    except (msgspec.ValidationError, RecursionError) as wrong:
        raise InvalidInput(f"invalid JSON: {wrong}") from None


def _zeroed(given: Mapping[str, object]) -> dict[str, object]:
    """*given* without its nulls, down through the objects that have a type of their own."""
    return {key: _field(key, value) for key, value in given.items() if value is not None}


def _field(key: str, value: object) -> object:
    if key in _NESTED:
        return _each(_zeroed, value)
    if key in _SETS and isinstance(value, dict):
        names: dict[str, object] = {name: {} for name in value}
        return names if names or key != "Volumes" else None
    if key == "PortBindings" and isinstance(value, dict):
        return {port: _each(_zeroed, bindings) for port, bindings in value.items()}
    return value


def _each(function: Callable[[dict[str, object]], object], value: object) -> object:
    if isinstance(value, dict):
        return function(value)
    if isinstance(value, list):
        return [function(item) if isinstance(item, dict) else item for item in value]
    return value
