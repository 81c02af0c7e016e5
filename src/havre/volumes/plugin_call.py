"""One question to a plugin: JSON over HTTP, on the socket where it listens. Imported at the first question alone."""

import http.client
import socket
from typing import Final
from urllib.parse import urlsplit

_MEDIA_TYPE: Final = "application/vnd.docker.plugins.v1.1+json"
_PATIENCE_S: Final = 30.0
_ANSWER_BYTES: Final = 1 << 20


def exchange(address: str, call: str, body: bytes) -> tuple[int, bytes]:
    """POST *body*; the status and what was answered. *address* is `unix:///path` or `tcp://host:port`.

    Raises OSError, also for what is no HTTP.
    """
    connection = _Connection(address)
    try:
        connection.request("POST", f"/{call}", body, {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE})
        response = connection.getresponse()
        return response.status, response.read(_ANSWER_BYTES)
    except http.client.HTTPException as odd:
        raise OSError(f"no HTTP: {odd!r}") from odd
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP to where a plugin listens."""

    def __init__(self, address: str) -> None:
        super().__init__("plugin", timeout=_PATIENCE_S)
        self._address = address

    def connect(self) -> None:
        """Connect by the plugin's own address instead of a host's name."""
        parts = urlsplit(self._address)
        if parts.scheme == "tcp":
            self.sock = socket.create_connection((parts.hostname or "", parts.port or 80), _PATIENCE_S)
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_PATIENCE_S)
        self.sock.connect(parts.path)
