"""Havre: a container platform in Python that does what Docker does.

    import havre

    with havre.connect() as host:
        print(host.containers.run("hello-world").text)

The names below load at their first use: the daemon, the runtime and the command line begin with this module, too.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from havre.base.version import VERSION
    from havre.client.containers import Container, ContainerFailed
    from havre.client.errors import ApiError, ClientError, ConnectionFailed
    from havre.client.host import Host, connect
    from havre.client.output import Output

__all__ = [
    "VERSION",
    "ApiError",
    "ClientError",
    "ConnectionFailed",
    "Container",
    "ContainerFailed",
    "Host",
    "Output",
    "connect",
]

_HOMES = {
    "ApiError": "client.errors",
    "ClientError": "client.errors",
    "ConnectionFailed": "client.errors",
    "Container": "client.containers",
    "ContainerFailed": "client.containers",
    "Host": "client.host",
    "Output": "client.output",
    "VERSION": "base.version",
    "connect": "client.host",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'havre' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"havre.{_HOMES[name]}"), name)
