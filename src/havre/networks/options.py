"""What a network's driver options mean: read once, in Docker's words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from havre.base.errors import InvalidInput, NotSupported

_BRIDGE: Final = "com.docker.network.bridge."
NAME: Final = f"{_BRIDGE}name"
MTU: Final = "com.docker.network.driver.mtu"
ICC: Final = f"{_BRIDGE}enable_icc"
MASQUERADE: Final = f"{_BRIDGE}enable_ip_masquerade"
BINDING: Final = f"{_BRIDGE}host_binding_ipv4"
GATEWAY_MODE_4: Final = f"{_BRIDGE}gateway_mode_ipv4"
GATEWAY_MODE_6: Final = f"{_BRIDGE}gateway_mode_ipv6"
LINK_PREFIX: Final = "com.docker.network.container_iface_prefix"
INHIBIT: Final = f"{_BRIDGE}inhibit_ipv4"
IF_NAME: Final = "com.docker.network.endpoint.ifname"
SYSCTLS: Final = "com.docker.network.endpoint.sysctls"
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_MODES: Final = ("nat", "nat-unprotected", "routed", "isolated")
_MTU_LEAST: Final = 68


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """A bridge network's driver options. *binding* is where ports are published that name no address.

    A gateway mode is `nat`, `nat-unprotected`, `routed` or `isolated`; *addressless* leaves the bridge without IPv4.
    """

    name: str = ""
    mtu: int = 0
    icc: bool = True
    masquerade: bool = True
    binding: str = ""
    mode4: str = "nat"
    mode6: str = "nat"
    prefix: str = "eth"
    addressless: bool = False


def parse_options(options: Mapping[str, str], *, internal: bool = False) -> BridgeOptions:
    """The options of a bridge network; unknown ones are passed over, as Docker does. Raises InvalidInput."""
    modes = []
    for key in (GATEWAY_MODE_4, GATEWAY_MODE_6):
        mode = options.get(key) or "nat"
        if mode not in _MODES:
            raise InvalidInput(f"unknown gateway mode {mode[:64]}")
        if mode == "isolated" and not internal:
            raise InvalidInput("gateway mode 'isolated' can only be used for an internal network")
        modes.append(mode)
    return BridgeOptions(
        name=_link_name(options.get(NAME, "")),
        mtu=_mtu(options.get(MTU, "")),
        icc=_flag(options, ICC, default=True),
        masquerade=_flag(options, MASQUERADE, default=True),
        binding=_binding(options.get(BINDING, "")),
        mode4=modes[0],
        mode6=modes[1],
        prefix=_link_name(options.get(LINK_PREFIX, "")) or "eth",
        addressless=_flag(options, INHIBIT, default=False),
    )


def parse_parent(driver: str, options: Mapping[str, str]) -> tuple[str, str]:
    """(parent link, mode) of a macvlan or ipvlan network. Raises InvalidInput, NotSupported."""
    key = f"{driver}_mode"
    mode = options.get(key) or ("bridge" if driver == "macvlan" else "l2")
    known = {"macvlan": ("bridge", "private", "vepa", "passthru"), "ipvlan": ("l2", "l3", "l3s")}[driver]
    if mode not in known:
        raise InvalidInput(
            f"requested {driver} mode '{mode[:64]}' is not valid, '{known[0]}' mode is the {driver} driver default"
        )
    parent = _link_name(options.get("parent", ""))
    if "." in parent:
        raise NotSupported(f"{driver} on a VLAN of a link ({parent}) is not offered by havre; make the link first")
    return parent, mode


def parse_endpoint(options: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """(name of the link inside, its sysctls) of one endpoint's driver options. Raises InvalidInput."""
    sysctls = []
    for entry in filter(None, options.get(SYSCTLS, "").split(",")):
        key, equals, value = entry.partition("=")
        words = key.split(".")
        if not equals or len(words) != 5 or words[0] != "net" or words[3] != "IFNAME" or "/" in key:
            raise InvalidInput(
                f"unrecognised network interface sysctl '{key[:128]}'; represent 'net.X.Y.ethN.Z' as 'net.X.Y.IFNAME.Z'"
            )
        sysctls.append(("/".join(words), value))
    return _link_name(options.get(IF_NAME, "")), tuple(sysctls)


def _flag(options: Mapping[str, str], key: str, *, default: bool) -> bool:
    value = options.get(key, "")
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    if value or key in options:
        raise InvalidInput(
            f'failed to parse {key} value: {value[:64]} (strconv.ParseBool: parsing "{value[:64]}": invalid syntax)'
        )
    return default


def _mtu(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise InvalidInput(
            f'failed to parse {MTU} value: {text[:64]} (strconv.Atoi: parsing "{text[:64]}": invalid syntax)'
        )
    if text != "0" and not _MTU_LEAST <= int(text) <= 65535:
        raise InvalidInput(f"invalid MTU number: {int(text)}")
    return int(text)


def _binding(text: str) -> str:
    try:
        return str(IPv4Address(text)) if text else ""
    except ValueError:
        raise InvalidInput(f"failed to parse {BINDING} value: {text[:64]} (invalid ipv4 address)") from None


def _link_name(text: str) -> str:
    wrong = (
        len(text.encode()) > 15 or text in {".", ".."} or any(not "!" <= each <= "~" or each in "/:" for each in text)
    )
    if wrong:
        raise InvalidInput(f"invalid interface name: {text[:64]!r}")
    return text
