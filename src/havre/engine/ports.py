"""Published ports: from the settings of a container to wishes, and back to what `inspect` and `ps` show. Pure."""

import ipaddress
from collections.abc import Iterable

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.engine.model import Record
from havre.engine.settings import PortBinding
from havre.networks.model import PortWish

_MOST = 65535


def port_wishes(record: Record) -> tuple[PortWish, ...]:
    """The ports of the host that the container asks for. Raises InvalidInput."""
    host = record.host
    wishes = [
        _wish(*parsed, binding)
        for name, bindings in host.port_bindings.items()
        for parsed in parse_ports(name)
        for binding in bindings or ()
    ]
    if host.publish_all_ports:
        given = {parsed for name, bindings in host.port_bindings.items() if bindings for parsed in parse_ports(name)}
        exposed = {parsed for name in record.config.exposed_ports for parsed in parse_ports(name)}
        wishes += [_wish(*parsed, PortBinding()) for parsed in sorted(exposed - given)]
    return tuple(wishes)


def check_bindings(bindings: Iterable[PortBinding]) -> None:
    """Raises InvalidInput for an address or a port that is none."""
    for binding in bindings:
        _wish(1, "tcp", binding)


def parse_ports(name: str) -> list[tuple[int, str]]:
    """`80-81/udp` as its numbers, each with the protocol. Raises InvalidInput."""
    text, _, protocol = name.partition("/")
    low, high = _span(text)
    return [(number, protocol or "tcp") for number in range(low, high + 1)]


def _wish(port: int, protocol: str, binding: PortBinding) -> PortWish:
    low, high = _span(binding.host_port) if binding.host_port else (0, 0)
    hosts = (_address(binding.host_ip),) if binding.host_ip else ()
    return PortWish(hosts, low, high, protocol, port)


def _span(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    low = parse_int(first, what="port")
    high = parse_int(last, what="port") if last else low
    if not 0 <= low <= high <= _MOST:
        raise InvalidInput(f'invalid port specification: "{text[:64]}"')
    return low, high


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise InvalidInput(f"invalid IP address: {text[:64]}") from None
