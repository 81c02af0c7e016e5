"""What `havre build` lends to the build: secrets from files and variables, and ssh agents."""

from __future__ import annotations

import os

from havre.cli.build_flags import csv_fields
from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from havre.cli.flags import Given
    from havre.client.client import Client

_LARGEST = 500 * 1024
_PIECE = 65536


def lend(client: Client, given: Given, variables: Mapping[str, str] = os.environ) -> str:
    """Open a session with all that *given* lends; its id, empty for nothing. Raises ClientError.

    Secrets that are variables are taken from *variables*.
    """
    secrets = dict(_secret(value, variables) for value in given.many("secret"))
    agents = dict(_agent(value) for value in given.many("ssh"))
    if not secrets and not agents:
        return ""
    from havre.wire.build import BuildSession

    body = {"Secrets": secrets, "Agents": list(agents)}
    session = client.post("/build/sessions", BuildSession, body=body).get("Id") or ""
    for name, path in agents.items():
        _start_forwarding(client, session, name, path)
    return session


def registry_config() -> dict[str, str]:
    """The header that tells the builder who asks which registry."""
    import base64
    import json

    from havre.cli.credentials import CredentialStore

    return {"X-Registry-Config": base64.urlsafe_b64encode(json.dumps(CredentialStore().all()).encode()).decode()}


def _secret(value: str, variables: Mapping[str, str] = os.environ) -> tuple[str, str]:
    import base64

    fields = csv_fields(value, "secret")
    identifier = fields.get("id", "")
    unknown = fields.keys() - {"id", "src", "source", "env", "type"}
    if unknown or not identifier:
        why = f"unexpected key '{min(unknown)}'" if unknown else "id is required"
        raise ClientError(f'invalid value "{value}" for flag --secret: {why}')
    source, variable = fields.get("src") or fields.get("source") or "", fields.get("env", "")
    if fields.get("type") == "env" and not variable:
        source, variable = "", source or identifier
    if not source and not variable:
        source, variable = ("", identifier) if identifier in variables else (identifier, "")
    return identifier, base64.b64encode(
        _content(identifier, source, variables.get(variable, "") if variable else None)
    ).decode()


def _content(identifier: str, source: str, value: str | None) -> bytes:
    if value is not None:
        return value.encode(errors="surrogateescape")
    try:
        with open(source, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ClientError(f"failed to stat secret {identifier}: stat {source}: {reason}") from error
    if len(data) > _LARGEST:
        raise ClientError(f"secret {identifier} is larger than {_LARGEST} bytes")
    return data


def _agent(value: str) -> tuple[str, str]:
    import stat

    name, equals, path = value.partition("=")
    path = path if equals else os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        raise ClientError(f"invalid empty ssh agent socket for {name}: make sure SSH_AUTH_SOCK is set")
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError as error:
        raise ClientError(f"ssh agent {name}: {path}: {(error.strerror or str(error)).lower()}") from error
    if not is_socket:
        raise ClientError(f"ssh agent {name}: {path} is no socket; load the key into an agent with ssh-add")
    return name, path


def _start_forwarding(client: Client, session: str, name: str, path: str) -> None:
    import threading

    forwarding = _Forwarding(client.another(), f"/build/sessions/{session}/agents/{name}", path)
    threading.Thread(target=forwarding.run, name=f"agent {name}", daemon=True).start()


class _Forwarding:
    """Keeps one connection to the daemon ready; when something comes over it, the agent gets it, and the next waits."""

    def __init__(self, client: Client, target: str, path: str) -> None:
        self._client, self._target, self._path = client, target, path

    def run(self) -> None:
        """Until the session is over."""
        import threading

        while True:
            try:
                stream, ahead, _ = self._client.hijack(self._target)
                first = ahead or stream.recv(_PIECE)
            except (ClientError, OSError):
                return
            if not first:
                return
            threading.Thread(target=self._serve, args=(stream, first), name="agent connection", daemon=True).start()

    def _serve(self, stream: socket.socket, first: bytes) -> None:
        import socket as sockets
        import threading

        try:
            agent = sockets.socket(sockets.AF_UNIX)
            agent.connect(self._path)
            agent.sendall(first)
        except OSError:
            stream.close()
            return
        back = threading.Thread(target=_pump, args=(agent, stream), name="from the agent", daemon=True)
        back.start()
        _pump(stream, agent)
        back.join()
        agent.close()
        stream.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    import socket as sockets

    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(sockets.SHUT_WR)
    except OSError:
        return
