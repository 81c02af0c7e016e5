"""What the daemon was told: command line and daemon.json joined, checked, and turned into values."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from havre.base.errors import InvalidInput, NotSupported
from havre.daemon.config_file import FileValue, read_file
from havre.daemon.doors import Door, parse_doors
from havre.daemon.flags import Given, parse_flags
from havre.daemon.options import BY_KEY
from havre.daemon.runtimes import parse_default_runtime, parse_runtimes
from havre.daemon.values import (
    Pool,
    Ports,
    Ulimit,
    parse_bytes,
    parse_label,
    parse_network_options,
    parse_pair,
    parse_pool,
    parse_ports,
    parse_ulimit,
)

DEFAULT_FILE: Final = Path("/etc/havre/daemon.json")
DEFAULT_HOST: Final = "unix:///run/havre.sock"
DEFAULT_GROUP: Final = "docker"
_LEVELS: Final = ("debug", "info", "warn", "error", "fatal")
_LOG_DRIVERS: Final = ("json-file", "local", "syslog", "journald", "none")
_SHM_BYTES: Final = 64 << 20
_CDI_FOLDERS: Final = ("/etc/cdi", "/var/run/cdi")
_WORDLESS: Final = frozenset(("", "0", "false", "False"))


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """TLS on TCP. *wanted* None: nothing was said; with *verify*, clients must show a certificate."""

    wanted: bool | None
    verify: bool
    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The default bridge, and what stands in resolv.conf."""

    bridge: str
    binding: str
    bip: str
    fixed_cidr: str
    ipv6: bool
    bip6: str
    fixed_cidr6: str
    default_gateway: str
    pools: tuple[Pool, ...]
    mtu: int
    icc: bool
    ip_masquerade: bool
    ip_forward: bool
    ip_forward_no_drop: bool
    direct_routing: bool
    iptables: bool
    options: dict[str, dict[str, str]]
    past_firewall: bool
    allowed: tuple[Ports, ...]
    dns: tuple[str, ...]
    dns_options: tuple[str, ...]
    dns_search: tuple[str, ...]
    host_gateways: tuple[str, ...]
    resolv_conf: str


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """What containers get that ask for nothing else."""

    cgroup_parent: str
    cgroupns_mode: str
    ipc_mode: str
    shm_size_bytes: int
    ulimits: tuple[Ulimit, ...]
    init: bool
    init_path: str
    no_new_privileges: bool
    seccomp_profile: str
    log_driver: str
    log_options: dict[str, str]
    runtimes: dict[str, tuple[str, ...]]
    default_runtime: str
    cdi_folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """How registries are reached, and how much at once."""

    http_proxy: str
    https_proxy: str
    no_proxy: str
    downloads: int
    uploads: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Config:
    """Everything, frozen. What SIGHUP reads again comes as a new value."""

    hosts: tuple[str, ...]
    doors: tuple[Door, ...]
    group: str
    data_root: Path
    exec_root: Path
    pidfile: Path
    debug: bool
    log_level: str
    log_format: str
    labels: tuple[str, ...]
    insecure_registries: tuple[str, ...]
    registry_mirrors: tuple[str, ...]
    live_restore: bool
    shutdown_timeout_s: int
    tls: TLSConfig
    network: NetworkConfig
    containers: ContainerConfig
    registries: RegistryConfig


def load_config(arguments: Sequence[str], before: "Config | None" = None) -> Config:
    """The configuration that the command line and its file make. Raises InvalidInput or NotSupported.

    With *before*, a daemon that runs reads again: only what may change then is taken over.
    """
    given = parse_flags(arguments)
    config = _build(_Values.read(given))
    if before is None:
        return config
    containers = replace(
        before.containers, runtimes=config.containers.runtimes, default_runtime=config.containers.default_runtime
    )
    transfers = config.registries
    registries = replace(
        before.registries, downloads=transfers.downloads, uploads=transfers.uploads, attempts=transfers.attempts
    )
    return replace(
        before, containers=containers, registries=registries, **{field: getattr(config, field) for field in _RELOADED}
    )


_RELOADED: Final = (
    "debug",
    "insecure_registries",
    "labels",
    "live_restore",
    "log_level",
    "registry_mirrors",
    "shutdown_timeout_s",
)
RELOADED_KEYS: Final = (
    *("debug", "default-runtime", "features", "insecure-registries", "labels", "live-restore", "log-level"),
    *("max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts"),
    *("registry-mirrors", "runtimes", "shutdown-timeout"),
)
"""The keys of daemon.json that SIGHUP reads again."""


class _Values:
    """The value of each key: from the command line, else from the file, else the default asked with."""

    def __init__(self, given: Given, file: dict[str, FileValue]) -> None:
        self._given, self._file = given, file

    @classmethod
    def read(cls, given: Given) -> "_Values":
        named = given.get("config-file")
        path = Path(named.replace("\0", "\ufffd")) if isinstance(named, str) else DEFAULT_FILE
        return cls(given, read_file(path, given, needed=named is not None))

    def raw(self, key: str) -> FileValue:
        """What was said, flag first; None when nothing was."""
        said = self._given.get(BY_KEY[key].flag)
        return cast("FileValue", said) if said is not None else self._file.get(key)

    def said(self, key: str) -> object:
        """What the command line has."""
        return self._given.get(BY_KEY[key].flag)

    def filed(self, key: str) -> FileValue:
        """What the file has."""
        return self._file.get(key)

    def text(self, key: str, default: str = "") -> str:
        value = self.raw(key)
        if isinstance(value, str) and "\0" in value:
            raise InvalidInput(f"invalid {key}: it holds a NUL character")
        return value if isinstance(value, str) and value else default

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.raw(key)
        return value if isinstance(value, bool) else default

    def number(self, key: str, default: int) -> int:
        value = self.raw(key)
        return value if isinstance(value, int) else default

    def path(self, key: str, default: str) -> Path:
        return Path.cwd() / self.text(key, default)

    def items(self, key: str) -> tuple[str, ...]:
        value = self.raw(key)
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    def pairs(self, key: str) -> dict[str, str]:
        value = self.raw(key)
        if isinstance(value, dict):
            return {name: str(item) for name, item in value.items()}
        return dict(parse_pair(item, key) for item in self.items(key))


def _build(values: _Values) -> Config:
    _refuse_what_is_missing(values)
    labels = values.items("labels")
    seen: dict[str, str] = {}
    for label in labels:
        name = parse_label(label)
        if seen.setdefault(name, label) != label:
            raise InvalidInput(f"conflict labels for {seen[name]} and {label}")
    debug = values.flag("debug", default=False)
    return Config(
        hosts=values.items("hosts") or (DEFAULT_HOST,),
        doors=parse_doors(values.raw("api-sockets")),
        group=values.text("group"),
        data_root=values.path("data-root", "/var/lib/havre"),
        exec_root=values.path("exec-root", "/run/havre"),
        pidfile=values.path("pidfile", "/run/havred.pid"),
        debug=debug,
        log_level=_one_of(values, "log-level", _LEVELS, "info"),
        log_format=_one_of(values, "log-format", ("text", "json"), "text"),
        labels=labels,
        insecure_registries=values.items("insecure-registries"),
        registry_mirrors=values.items("registry-mirrors"),
        # Docker's default is false. A container that outlives its daemon is what people wish for, and
        # `--live-restore=false` gives Docker's way back.
        live_restore=values.flag("live-restore", default=True),
        shutdown_timeout_s=values.number("shutdown-timeout", 15),
        tls=_tls(values),
        network=_network(values),
        containers=_containers(values),
        registries=_registries(values),
    )


def _tls(values: _Values) -> TLSConfig:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path("~/.docker").expanduser())
    verify = values.flag("tlsverify", default=bool(os.environ.get("DOCKER_TLS_VERIFY")))
    said = values.raw("tls")
    if verify and said is False:
        verify = False
    return TLSConfig(
        wanted=True if verify else said if isinstance(said, bool) else None,
        verify=verify,
        authority=values.path("tlscacert", str(folder / "ca.pem")),
        certificate=values.path("tlscert", str(folder / "cert.pem")),
        key=values.path("tlskey", str(folder / "key.pem")),
    )


def _network(values: _Values) -> NetworkConfig:
    bridge, bip = values.text("bridge"), values.text("bip")
    if bridge and bip:
        raise InvalidInput("You specified -b & --bip, mutually exclusive options. Please specify only one")
    icc, iptables = values.flag("icc", default=True), values.flag("iptables", default=True)
    if not icc and not iptables:
        raise InvalidInput(
            "You specified --iptables=false with --icc=false. ICC=false uses iptables to function. "
            "Please set --icc or --iptables to true"
        )
    raw_pools = values.raw("default-address-pools")
    return NetworkConfig(
        bridge=bridge,
        binding=values.text("ip", "0.0.0.0"),
        bip=bip,
        fixed_cidr=values.text("fixed-cidr"),
        ipv6=values.flag("ipv6", default=False),
        bip6=values.text("bip6"),
        fixed_cidr6=values.text("fixed-cidr-v6"),
        default_gateway=values.text("default-gateway"),
        pools=tuple(parse_pool(pool) for pool in raw_pools) if isinstance(raw_pools, list) else (),
        mtu=_at_least(values, "mtu", 0, 1500) or 1500,
        icc=icc,
        ip_masquerade=values.flag("ip-masq", default=True),
        ip_forward=values.flag("ip-forward", default=True),
        direct_routing=values.flag("allow-direct-routing", default=False),
        ip_forward_no_drop=values.flag("ip-forward-no-drop", default=False),
        iptables=iptables,
        options=parse_network_options(values.raw("default-network-opts")),
        past_firewall=values.flag("publish-past-firewall", default=False),
        allowed=tuple(parse_ports(text) for text in values.items("publish-allowed")),
        dns=values.items("dns"),
        dns_options=values.items("dns-opts"),
        dns_search=values.items("dns-search"),
        host_gateways=values.items("host-gateway-ips") or tuple(filter(None, (values.text("host-gateway-ip"),))),
        resolv_conf=values.text("resolv-conf"),
    )


def _registries(values: _Values) -> RegistryConfig:
    raw = values.raw("proxies")
    proxies = {name: str(value) for name, value in raw.items()} if isinstance(raw, dict) else {}

    def proxy(name: str) -> str:
        variable = name.replace("-", "_")
        said = values.text(name) or proxies.get(name)
        return said or os.environ.get(variable.upper()) or os.environ.get(variable) or ""

    return RegistryConfig(
        http_proxy=proxy("http-proxy"),
        https_proxy=proxy("https-proxy"),
        no_proxy=proxy("no-proxy"),
        downloads=_at_least(values, "max-concurrent-downloads", 1, 3),
        uploads=_at_least(values, "max-concurrent-uploads", 1, 5),
        attempts=_at_least(values, "max-download-attempts", 1, 5),
    )


def _containers(values: _Values) -> ContainerConfig:
    raw_size, raw_limits = values.raw("default-shm-size"), values.raw("default-ulimits")
    limits = raw_limits.values() if isinstance(raw_limits, dict) else raw_limits if isinstance(raw_limits, list) else ()
    runtimes = parse_runtimes(values.said("runtimes"), values.filed("runtimes"))
    return ContainerConfig(
        cgroup_parent=values.text("cgroup-parent"),
        cgroupns_mode=_one_of(values, "default-cgroupns-mode", ("host", "private"), "private"),
        ipc_mode=_one_of(values, "default-ipc-mode", ("shareable", "private"), "private"),
        shm_size_bytes=_SHM_BYTES if raw_size is None else parse_bytes(raw_size, "default-shm-size"),
        ulimits=tuple(parse_ulimit(limit) for limit in limits),
        init=values.flag("init", default=False),
        init_path=values.text("init-path") or values.text("default-init"),
        no_new_privileges=values.flag("no-new-privileges", default=False),
        seccomp_profile=values.text("seccomp-profile"),
        log_driver=_one_of(values, "log-driver", _LOG_DRIVERS, "json-file"),
        log_options=values.pairs("log-opts"),
        runtimes=runtimes,
        default_runtime=parse_default_runtime(values.text("default-runtime"), runtimes),
        cdi_folders=values.items("cdi-spec-dirs") or _CDI_FOLDERS,
    )


def _refuse_what_is_missing(values: _Values) -> None:
    """An option that promises something and would be ignored is worse than one that stops the start."""
    for key, accepts in _LIMITED.items():
        value = values.raw(key)
        said = (
            [str(item) for item in value] if isinstance(value, list | dict) else [] if value is None else [str(value)]
        )
        for one in said:
            if not accepts(one):
                raise NotSupported(f"{key}: {one[:128]!r} is not available in this version of Havre")


def _nothing(text: str) -> bool:
    return text in _WORDLESS


_LIMITED: Final[dict[str, Callable[[str], bool]]] = {
    "api-cors-header": _nothing,
    "authorization-plugins": _nothing,
    "cpu-rt-period": _nothing,
    "cpu-rt-runtime": _nothing,
    "default-gateway-v6": _nothing,
    "exec-opts": lambda text: text == "native.cgroupdriver=cgroupfs",
    "metrics-addr": _nothing,
    "firewall-backend": lambda text: text in ("", "nftables"),
    "min-api-version": lambda text: text in ("", "1.24"),
    "network-diagnostic-port": _nothing,
    "rootless": _nothing,
    "selinux-enabled": _nothing,
    "storage-driver": lambda text: text in ("", "overlay2"),
    "storage-opts": lambda text: text.startswith("overlay2.override_kernel_check="),
    "userns-remap": _nothing,
}


def _one_of(values: _Values, key: str, choices: tuple[str, ...], default: str) -> str:
    value = values.text(key, default)
    if value not in choices:
        raise InvalidInput(f"invalid value for {key}: {value[:128]!r} is none of {', '.join(choices)}")
    return value


def _at_least(values: _Values, key: str, low: int, default: int) -> int:
    value = values.number(key, default)
    if value < low:
        raise InvalidInput(f"invalid default {key}: {value}")
    return value
