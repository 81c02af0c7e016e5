"""`--use-api-socket`: the engine's socket in a container, and who the user is at the registries.

As docker's command line does it: the socket is a bind mount, the credentials are a config.json that is copied into the
container before it starts, unless the container has a DOCKER_CONFIG of its own.
"""

from __future__ import annotations

from havre.cli.credentials import CredentialStore
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.client.tar_out import document, gathered
from havre.wire.containers import CreateContainer

_SOCKET = "/var/run/docker.sock"
_CONFIG = "/run/secrets/docker/config.json"
_VARIABLE = "DOCKER_CONFIG"


def lend(body: CreateContainer, client: Client) -> bytes:
    """Add the socket to *body*; gives the archive that `hand_over` is to bring, empty when there is nothing to tell.

    Raises ClientError when the engine is not reached by a unix socket.
    """
    address = client.address
    if address.scheme != "unix":
        raise ClientError(
            f"flag --use-api-socket can only be used with unix sockets: docker endpoint {address.text} incompatible"
        )
    config = body.get("HostConfig") or {}
    config["Mounts"] = [
        *(config.get("Mounts") or ()),
        {"Type": "bind", "Source": address.host, "Target": _SOCKET, "BindOptions": {}},
    ]
    environment = body.get("Env") or []
    entries = CredentialStore().entries()
    if not entries or any(line.partition("=")[0] == _VARIABLE for line in environment):
        return b""
    body["Env"] = [*environment, f"{_VARIABLE}={_CONFIG.rpartition('/')[0]}"]
    return _archive(entries)


def hand_over(archive: bytes, container: str, client: Client) -> None:
    """Bring what `lend` gave into the container."""
    if archive:
        query = {"path": "/", "noOverwriteDirNonDir": "false"}
        client.send("PUT", f"/containers/{container}/archive", query, stream=[archive]).read()


def _archive(entries: dict[str, dict[str, str]]) -> bytes:
    import json

    data = json.dumps({"auths": entries}, indent="\t").encode()
    return b"".join(gathered([document(_CONFIG.lstrip("/").encode(), data)]))
