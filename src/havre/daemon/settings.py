"""From the daemon's configuration to what each room calls its settings."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from havre.base.errors import InvalidInput, NotSupported
from havre.daemon.config import Config, NetworkConfig
from havre.engine import settings as engine_words
from havre.engine.log_settings import check_log
from havre.engine.parts import Settings as EngineSettings
from havre.engine.seccomp_filters import check_profile
from havre.networks.model import AddressPool, OpenPorts
from havre.networks.model import Settings as NetworkSettings
from havre.registry.client.endpoints import parse_mirror
from havre.registry.client.settings import Settings as RegistrySettings
from havre.runtime.defaults import CGROUP_PARENT

_PROFILE_LIMIT_BYTES: Final = 1 << 20
_WORDS: Final = ("", "builtin", "unconfined")


def check_settings(config: Config) -> None:
    """Raises InvalidInput or NotSupported for what would stop a start of the daemon."""
    check_profile(engine_settings(config, ()).seccomp)
    _ = registry_settings(config), network_settings(config.network)


def engine_settings(config: Config, warnings: tuple[str, ...]) -> EngineSettings:
    """What the engine is to know. Raises InvalidInput, NotSupported."""
    given, network = config.containers, config.network
    log = engine_words.LogSettings(type=given.log_driver, config=given.log_options)
    check_log(log)
    return EngineSettings(
        log=log,
        cgroup_parent=given.cgroup_parent or CGROUP_PARENT,
        cgroupns_mode=given.cgroupns_mode,
        ipc_mode=given.ipc_mode,
        shm_size_bytes=given.shm_size_bytes,
        seccomp=_profile(given.seccomp_profile),
        init=given.init,
        init_path=given.init_path,
        live_restore=config.live_restore,
        no_new_privileges=given.no_new_privileges,
        ulimits=tuple(engine_words.Ulimit(name=one.name, soft=one.soft, hard=one.hard) for one in given.ulimits),
        dns=tuple(_server(address) for address in network.dns),
        dns_search=network.dns_search,
        dns_options=network.dns_options,
        host_gateway=next(iter(network.host_gateways), ""),
        resolv_conf=Path(network.resolv_conf or "/etc/resolv.conf"),
        labels=config.labels,
        debug=config.debug,
        insecure_registries=config.insecure_registries,
        registry_mirrors=config.registry_mirrors,
        runtimes=given.runtimes,
        default_runtime=given.default_runtime,
        cdi_folders=given.cdi_folders,
        warnings=warnings,
    )


def registry_settings(config: Config) -> RegistrySettings:
    """What the client of registries is to know. Raises InvalidInput."""
    for mirror in config.registry_mirrors:
        parse_mirror(mirror)
    given = config.registries
    return RegistrySettings(
        mirrors=config.registry_mirrors,
        insecure=config.insecure_registries,
        http_proxy=given.http_proxy,
        https_proxy=given.https_proxy,
        no_proxy=given.no_proxy,
        downloads=given.downloads,
        uploads=given.uploads,
        attempts=given.attempts,
    )


def told_of_transfers(config: Config) -> dict[str, str]:
    """What else of *config* may change, as the event of a reload tells it."""
    given = config.registries
    return {
        "max-concurrent-downloads": str(given.downloads),
        "max-concurrent-uploads": str(given.uploads),
        "max-download-attempts": str(given.attempts),
        "shutdown-timeout": str(config.shutdown_timeout_s),
    }


def network_settings(config: NetworkConfig) -> NetworkSettings:
    """What the networks are to know. Raises InvalidInput, NotSupported."""
    if config.bridge == "none":
        raise NotSupported(
            "running without the default bridge (--bridge none) is not available in this version of Havre"
        )
    defaults = NetworkSettings()
    return NetworkSettings(
        bridge_name=config.bridge or defaults.bridge_name,
        bridge_interface=IPv4Interface(_address(config.bip, "bip", IPv4Interface)) if config.bip else None,
        fixed_cidr=IPv4Network(_address(config.fixed_cidr, "fixed-cidr", IPv4Network)) if config.fixed_cidr else None,
        ipv6=config.ipv6,
        bridge_interface6=IPv6Interface(_address(config.bip6, "bip6", IPv6Interface)) if config.bip6 else None,
        fixed_cidr6=(
            IPv6Network(_address(config.fixed_cidr6, "fixed-cidr-v6", IPv6Network)) if config.fixed_cidr6 else None
        ),
        default_gateway=(
            IPv4Address(_address(config.default_gateway, "default-gateway", IPv4Address))
            if config.default_gateway
            else None
        ),
        pools=tuple(
            AddressPool(ip_network(_address(pool.base, "default-address-pool", ip_network)), pool.size)
            for pool in config.pools
        )
        or defaults.pools,
        mtu=config.mtu,
        icc=config.icc,
        masquerade=config.ip_masquerade,
        ip_forward=config.ip_forward,
        direct_routing=config.direct_routing,
        ip_forward_drop=not config.ip_forward_no_drop,
        firewall=config.iptables,
        network_options=config.options,
        past_firewall=config.past_firewall,
        open_ports=tuple(OpenPorts(each.protocol, each.first, each.last) for each in config.allowed),
        default_binding=_address(config.binding, "ip", IPv4Address),
    )


def _address(text: str, what: str, kind: Callable[[str], object]) -> str:
    """*text*, which is an address of that *kind*. Raises InvalidInput naming *what*."""
    try:
        kind(text)
    except ValueError as wrong:
        raise InvalidInput(f"invalid {what}: {wrong}") from None
    return text


def _server(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise InvalidInput(f"{text[:256]} is not an ip address") from None


def _profile(word: str) -> str:
    """What the engine takes: a word, or the JSON that the file of that name holds."""
    if word in _WORDS:
        return word or "builtin"
    try:
        with Path(word).open("rb") as file:
            text = file.read(_PROFILE_LIMIT_BYTES + 1)
    except OSError as failed:
        raise InvalidInput(f"opening seccomp profile ({word}) failed: {failed.strerror}") from None
    if len(text) > _PROFILE_LIMIT_BYTES:
        raise InvalidInput(f"opening seccomp profile ({word}) failed: it is larger than {_PROFILE_LIMIT_BYTES} bytes")
    return text.decode(errors="replace")
