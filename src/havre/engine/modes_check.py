"""Checks of the namespaces a container shares and of its network, in Docker's words; pure."""

import ipaddress
import re
from typing import Final

from havre.base.errors import InvalidInput
from havre.engine.model import BRIDGE, HOST, NONE, SHARED
from havre.engine.ports import check_bindings, parse_ports
from havre.engine.settings import Config, EndpointWish, HostConfig

_DEFAULT_NETWORKS: Final = frozenset({"", "default", BRIDGE})
_BUILT_IN: Final = _DEFAULT_NETWORKS | {HOST, NONE}
_IPC_SYSCTLS: Final = frozenset(
    f"kernel.{name}" for name in ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"]
)
_SYSCTL_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[A-Za-z0-9_*@:-]+)+\Z", re.ASCII)
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+\Z", re.ASCII)
_RESOLV_WORD: Final = re.compile(r"[\x21-\x7e]+\Z", re.ASCII)
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\Z", re.ASCII)


def check_modes(config: Config, host: HostConfig, endpoints: dict[str, EndpointWish]) -> list[str]:
    """The warnings that the wished namespaces deserve. Raises InvalidInput."""
    _check_namespaces(host)
    warnings = _check_network(config, host)
    if host.uts_mode == HOST and config.hostname:
        raise InvalidInput("conflicting options: hostname and the UTS mode")
    for name, wish in endpoints.items():
        check_endpoint(name, wish)
    _check_names(host)
    for name, value in (host.sysctls or {}).items():
        _check_sysctl(name, value, host)
    return warnings


def _check_namespaces(host: HostConfig) -> None:
    for what, mode, allowed in (
        ("Invalid IPC mode", host.ipc_mode, {"", "none", "private", "shareable", HOST}),
        ("invalid PID mode", host.pid_mode, {"", HOST}),
    ):
        shared = mode.startswith(SHARED) and mode != SHARED
        if mode not in allowed and not shared:
            raise InvalidInput(f"{what}: {mode}")
    for what, mode, allowed in (
        ("invalid UTS mode", host.uts_mode, {"", HOST}),
        ("invalid user namespace mode", host.userns_mode, {"", HOST}),
        ("invalid cgroup namespace mode", host.cgroupns_mode, {"", HOST, "private"}),
    ):
        if mode not in allowed:
            raise InvalidInput(f"{what}: {mode}")


def _check_network(config: Config, host: HostConfig) -> list[str]:
    mode = host.network_mode
    if mode == SHARED:
        raise InvalidInput("Invalid network mode: invalid container format container:<name|id>")
    if mode.startswith(SHARED):
        _check_shared_network(config, host)
    if host.links and (mode == HOST or mode.startswith(SHARED)):
        kind = "host type networking" if mode == HOST else "container type network"
        raise InvalidInput(
            f"conflicting options: {kind} can't be used with links. This would result in undefined behavior"
        )
    if not (host.port_bindings or host.publish_all_ports):
        return []
    _check_ports(host)
    if mode == HOST:
        return ["Published ports are discarded when using host network mode"]
    return []


def _check_ports(host: HostConfig) -> None:
    for port, bindings in host.port_bindings.items():
        for binding in bindings or ():
            if binding.host_port and not re.fullmatch(r"[0-9]{1,5}(-[0-9]{1,5})?", binding.host_port, re.ASCII):
                raise InvalidInput(f'invalid port specification: "{binding.host_port[:64]}"')
        if not re.fullmatch(r"[0-9]{1,5}(/(tcp|udp|sctp))?", port, re.ASCII):
            raise InvalidInput(f'invalid port specification: "{port[:64]}"')
        parse_ports(port)
        check_bindings(bindings or ())


def _check_shared_network(config: Config, host: HostConfig) -> None:
    conflicts = (
        ("conflicting options: hostname and the network mode", config.hostname),
        ("conflicting options: dns and the network mode", host.dns),
        ("conflicting options: custom host-to-IP mapping and the network mode", host.extra_hosts),
        ("conflicting options: mac-address and the network mode", config.mac_address),
        (
            "conflicting options: port publishing and the container type network mode",
            host.port_bindings or host.publish_all_ports,
        ),
        ("conflicting options: port exposing and the container type network mode", config.exposed_ports),
    )
    for message, given in conflicts:
        if given:
            raise InvalidInput(message)


def check_endpoint(name: str, wish: EndpointWish) -> None:
    """Raises InvalidInput for what cannot be asked of the network *name*."""
    if wish.mac_address and not _MAC.match(wish.mac_address):
        raise InvalidInput(f"invalid MAC address: {wish.mac_address[:64]}")
    if name not in _BUILT_IN:
        return
    if wish.ipam_config is not None and (wish.ipam_config.ipv4_address or wish.ipam_config.ipv6_address):
        raise InvalidInput("user specified IP address is supported on user defined networks only")
    if wish.aliases:
        raise InvalidInput("network-scoped alias is supported only for containers in user defined networks")


def _check_names(host: HostConfig) -> None:
    for given in host.extra_hosts or ():
        name, separator, address = given.partition(":" if "=" not in given else "=")
        if not separator or not _HOST_NAME.match(name):
            raise InvalidInput(f'bad format for add-host: "{given[:256]}"')
        if address != "host-gateway" and not _is_address(address.strip("[]")):
            raise InvalidInput(f'invalid IP address in add-host: "{address[:256]}"')
    for server in host.dns or ():
        if not _is_address(server):
            raise InvalidInput(f"{server[:256]} is not an ip address")
    for word in (*(host.dns_search or ()), *(host.dns_options or ())):
        if not _RESOLV_WORD.match(word):
            raise InvalidInput(f"invalid DNS search domain or option: {word[:256]!r}")


def _check_sysctl(name: str, value: str, host: HostConfig) -> None:
    if not _SYSCTL_NAME.match(name) or "\n" in value or "\0" in value:
        raise InvalidInput(f"invalid sysctl {name[:256]!r}")
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        if host.ipc_mode == HOST:
            raise InvalidInput(f'sysctl "{name}" is not allowed in the hosts ipc namespace')
    elif name.startswith("net."):
        if host.network_mode == HOST:
            raise InvalidInput(f'sysctl "{name}" not allowed in host network namespace')
    else:
        raise InvalidInput(f'sysctl "{name}" is not in a separate kernel namespace')


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.isascii()
