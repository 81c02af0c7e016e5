"""`havre port`: where the ports of a container are published."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.container_config import PortBinding
from havre.wire.containers import ContainerInspect


def run(given: Given, client: Client, screen: Screen) -> int:
    """All of them, or the addresses of one."""
    name, *wanted = given.args
    shown = client.get(f"/containers/{name}/json", ContainerInspect)
    ports = (shown.get("NetworkSettings") or {}).get("Ports") or {}
    if wanted:
        port = wanted[0] if "/" in wanted[0] else f"{wanted[0]}/tcp"
        bindings = ports.get(port)
        if not bindings:
            raise ClientError(f"Error: No public port '{port}' published for {name}")
        for binding in bindings:
            screen.line(_address(binding))
        return 0
    for port in sorted(ports, key=lambda key: (int(key.partition("/")[0]), key)):
        for binding in ports[port] or ():
            screen.line(f"{port} -> {_address(binding)}")
    return 0


def _address(binding: PortBinding) -> str:
    host = binding.get("HostIp") or ""
    return f"[{host}]:{binding.get('HostPort')}" if ":" in host else f"{host}:{binding.get('HostPort')}"


COMMAND = Command(
    summary="List port mappings or a specific mapping for the container",
    usage="CONTAINER [PRIVATE_PORT[/PROTO]]",
    at_least=1,
    at_most=2,
    run=run,
)
