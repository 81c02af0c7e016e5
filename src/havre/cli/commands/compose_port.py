"""`havre compose port`: where a port of a service is published."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number, text
from havre.compose.errors import ComposeError
from havre.wire.containers import ContainerInspect


def act(given: Given, session: Session) -> int:
    """Print the address."""
    service, port = given.args
    protocol = given.text("protocol")
    container = session.container(service, given.number("index"))
    shown = session.client.get(f"/containers/{container.id}/json", ContainerInspect)
    bindings = ((shown.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{port}/{protocol}")
    if not bindings:
        raise ComposeError(f"no port {port}/{protocol} for container {container.name}: not published")
    host = bindings[0].get("HostIp") or ""
    session.screen.line(f"{f'[{host}]' if ':' in host else host}:{bindings[0].get('HostPort')}")
    return 0


VERB = Verb(
    summary="Print the public port for a port binding",
    usage="[OPTIONS] SERVICE PRIVATE_PORT",
    flags=(
        number("index", "Index of the container if service has multiple replicas"),
        text("protocol", "tcp or udp", default="tcp"),
    ),
    at_least=2,
    at_most=2,
    act=act,
)
