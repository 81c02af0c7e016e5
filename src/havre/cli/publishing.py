"""`--publish` and `--expose`: ports as people write them, checked in Docker's words. Pure."""

from __future__ import annotations

from havre.client.errors import ClientError
from havre.wire.container_config import PortBinding

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})


def published(entries: list[str]) -> dict[str, list[PortBinding] | None]:
    """`[ip:][host port or range:]port or range[/protocol]`, or `published=…,target=…`. Raises ClientError."""
    made: dict[str, list[PortBinding] | None] = {}
    for entry in entries:
        head, _, inside = (_in_short(entry) if "=" in entry else entry).rpartition(":")
        address, _, outside = head.rpartition(":")
        port, _, protocol = inside.partition("/")
        address = address.strip("[]")
        if address:
            _check_address(address)
        if not port:
            raise ClientError(f"no port specified: {entry}<empty>")
        inner, outer = ports(port), ports(outside, "invalid hostPort") if outside else []
        if outer and len(outer) != len(inner) and len(inner) != 1:
            raise ClientError(f"invalid ranges specified for container and host Ports: {port} and {outside}")
        if protocol and protocol.lower() not in _PROTOCOLS:
            raise ClientError(f"invalid proto: {protocol}")
        for position, number in enumerate(inner):
            binding: PortBinding = {"HostIp": address, "HostPort": ""}
            if outer:
                binding["HostPort"] = str(outer[position]) if len(outer) == len(inner) else outside
            key = f"{number}/{protocol.lower() or 'tcp'}"
            made[key] = [*(made.get(key) or []), binding]
    return made


def exposed(entries: list[str]) -> list[str]:
    """`80`, `80/udp`, `80-82`, each port as the API wants it. Raises ClientError."""
    made = []
    for entry in entries:
        port, _, protocol = entry.partition("/")
        numbers = ports(port, "invalid range format for --expose")
        made += [f"{number}/{protocol or 'tcp'}" for number in numbers]
    return made


def ports(text: str, wrong: str = "invalid containerPort") -> list[int]:
    """`80` or `80-82` as numbers. Raises ClientError, which begins with *wrong*."""
    first, dash, last = text.partition("-")
    numbers = [first, last] if dash else [first]
    if not all(number.isascii() and number.isdecimal() and int(number[:6]) <= 65535 for number in numbers):
        raise ClientError(f"{wrong}: {text}")
    start, stop = int(first), int(last or first)
    if stop < start:
        raise ClientError(f"{wrong}: {text}")
    return list(range(start, stop + 1))


def _in_short(entry: str) -> str:
    given = {"published": "", "target": "", "protocol": "tcp"}
    for field in entry.split(","):
        name, equals, value = field.partition("=")
        if not (name and equals):
            raise ClientError(f"invalid publish opts format (should be name=value but got '{field}')")
        given[name] = value
    return f"{given['published']}:{given['target']}/{given['protocol']}"


def _check_address(text: str) -> None:
    import socket

    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        socket.inet_pton(family, text.partition("%")[0])
    except OSError:
        raise ClientError(f"invalid IP address: {text}") from None
