"""`--network` and `--publish`: which networks, with what, and which ports of the host."""

from __future__ import annotations

from havre.cli.flags import Given
from havre.client.errors import ClientError
from havre.wire.networks import EndpointSettings

_DEFAULT = "default"


def networks(given: Given) -> dict[str, EndpointSettings | None]:
    """The endpoints by network, in the order given; `default` alone when none is. Raises ClientError."""
    chosen = [*given.many("network"), *given.many("net")] or [_DEFAULT]
    made: dict[str, EndpointSettings | None] = {}
    for position, text in enumerate(chosen):
        name, endpoint = _endpoint(text)
        if name in made:
            raise ClientError(f"network {name} is specified multiple times")
        if position == 0:
            _add_flags(given, name, endpoint)
        made[name] = endpoint
    if len({_is_own(name) for name in made}) > 1:
        raise ClientError("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
    return made


def endpoint_of(given: Given) -> EndpointSettings:
    """What `network connect` asks for. Raises ClientError."""
    endpoint: EndpointSettings = {"IPAMConfig": {}, "DriverOpts": {}, "Aliases": []}
    for flag, key in (("alias", "alias"), ("link-local-ip", "link-local-ip"), ("driver-opt", "driver-opt")):
        for entry in given.many(flag):
            for part in entry.split(","):
                _field(endpoint, key, part)
    for flag in ("ip", "ip6"):
        if given.text(flag):
            _field(endpoint, flag, given.text(flag))
    if given.many("link"):
        endpoint["Links"] = given.many("link")
    if given.changed("gw-priority"):
        endpoint["GwPriority"] = given.number("gw-priority")
    return endpoint


def _is_own(name: str) -> bool:
    """Whether it is a network that a user made."""
    return name not in {_DEFAULT, "bridge", "host", "none"} and not name.startswith("container:")


def _endpoint(text: str) -> tuple[str, EndpointSettings]:
    if "name=" not in text.split(",", maxsplit=1)[0] and "," not in text:
        return text, {}
    name, endpoint = "", EndpointSettings()
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if not equals:
            raise ClientError(f"invalid field {field}")
        if key == "name":
            name = value
        else:
            _field(endpoint, key, value)
    if not name:
        raise ClientError("network name/id is not specified")
    return name, endpoint


def _field(endpoint: EndpointSettings, key: str, value: str) -> None:
    addresses = endpoint.get("IPAMConfig") or {}
    match key:
        case "alias":
            endpoint["Aliases"] = [*(endpoint.get("Aliases") or []), value]
        case "ip":
            endpoint["IPAMConfig"] = {**addresses, "IPv4Address": value}
        case "ip6":
            endpoint["IPAMConfig"] = {**addresses, "IPv6Address": value}
        case "link-local-ip":
            endpoint["IPAMConfig"] = {**addresses, "LinkLocalIPs": [*(addresses.get("LinkLocalIPs") or []), value]}
        case "mac-address":
            endpoint["MacAddress"] = value
        case "driver-opt":
            name, _, content = value.partition("=")
            endpoint["DriverOpts"] = {**(endpoint.get("DriverOpts") or {}), name: content}
        case "gw-priority":
            endpoint["GwPriority"] = _priority(value)
        case _:
            raise ClientError(f"invalid field key {key}")


def _priority(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ClientError(f"invalid gw-priority ({text}): invalid syntax") from None


def _add_flags(given: Given, name: str, endpoint: EndpointSettings) -> None:
    """--ip, --network-alias and their like are for the first network. Raises ClientError where it has its own."""
    aliases = [*given.many("network-alias"), *given.many("net-alias")]
    addresses = endpoint.get("IPAMConfig") or {}
    conflicts = (
        (aliases and endpoint.get("Aliases"), "--network-alias and per-network alias"),
        (given.text("ip") and addresses.get("IPv4Address"), "--ip and per-network IPv4 address"),
        (given.text("ip6") and addresses.get("IPv6Address"), "--ip6 and per-network IPv6 address"),
        (given.text("mac-address") and endpoint.get("MacAddress"), "--mac-address and per-network MAC address"),
        (
            given.many("link-local-ip") and addresses.get("LinkLocalIPs"),
            "--link-local-ip and per-network link-local IP addresses",
        ),
    )
    for both, what in conflicts:
        if both:
            raise ClientError(f"conflicting options: cannot specify both {what}")
    if aliases and not _is_own(name):
        raise ClientError("network-scoped aliases are only supported for user-defined networks")
    for alias in aliases:
        _field(endpoint, "alias", alias)
    for flag in ("ip", "ip6", "mac-address"):
        if given.text(flag):
            _field(endpoint, flag, given.text(flag))
    for address in given.many("link-local-ip"):
        _field(endpoint, "link-local-ip", address)
    if given.many("link") and _is_own(name):
        endpoint["Links"] = given.many("link")
