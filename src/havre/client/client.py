"""The client: one daemon, its nouns (`containers`, `images`, `system`), and the start on demand."""

from __future__ import annotations

import os

from havre.client.connection import Address, Connection, Response, TlsFiles
from havre.client.errors import ApiError, ClientError, ConnectionFailed
from havre.client.quick_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeVar

    _T = TypeVar("_T")
    Query = Mapping[str, str | int | None]

DEFAULT_HOST = "unix:///run/havre.sock"
API_VERSION = "1.50"
_TOO_NEW = "Maximum supported API version is "


class Client:
    """Requests to one daemon. The first one connects, and starts havred when it is ours to start."""

    def __init__(self, address: Address, *, version: str = API_VERSION, on_demand: bool = False) -> None:
        self.address = address
        self.version = version
        self._on_demand = on_demand
        self._idle: Connection | None = None
        self._agreed = version != API_VERSION

    @classmethod
    def at(cls, host: str = "", tls: TlsFiles | None = None) -> Client:
        """A client of *host*, else of HAVRE_HOST or DOCKER_HOST, else of this machine's own havred."""
        given = host or os.environ.get("HAVRE_HOST") or os.environ.get("DOCKER_HOST") or ""
        version = os.environ.get("DOCKER_API_VERSION") or API_VERSION
        return cls(Address(given or DEFAULT_HOST, tls), version=version, on_demand=not given)

    def get(self, path: str, kind: type[_T], query: Query | None = None) -> _T:
        """GET a JSON document; *kind* is what the API promises to answer."""
        return self._document("GET", path, query, None)

    def post(self, path: str, kind: type[_T], query: Query | None = None, body: object = None) -> _T:
        """POST a JSON document (or nothing) for a JSON answer."""
        return self._document("POST", path, query, body)

    def act(self, method: str, path: str, query: Query | None = None, body: object = None) -> int:
        """A request whose answer is only its status; 304 is no error."""
        response = self.send(method, path, query, body)
        response.read()
        return response.status

    def send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        *,
        stream: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request on the idle connection, or on a new one. Raises ApiError for a status of 400 and more.

        The body of the answer must be read to its end before the next request: what is left is lost.
        """
        if stream is not None and not self._agreed:
            self.act("GET", "/_ping")  # a stream cannot be sent again in the daemon's own version
        fields = dict(headers or {})
        data: bytes | Iterable[bytes] | None = stream
        if body is not None:
            fields["Content-Type"] = "application/json"
            data = _json_bytes(body)
        elif stream is not None:
            fields.setdefault("Content-Type", "application/x-tar")
        response = self._ready().request(method, self._target(path, query), fields, data)
        if response.status < 400:
            self._agreed = True
            return response
        message = _message(response)
        if stream is None and self._steps_down(message):
            return self.send(method, path, query, body, headers=headers)
        raise ApiError(response.status, message)

    def hijack(self, path: str, query: Query | None = None, body: object = None) -> tuple[socket.socket, bytes, str]:
        """POST on a connection of its own and take it over: the stream, first bytes, and the content type."""
        connection = self._connect()
        fields = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"}
        data = _json_bytes(body) if body is not None else b""
        try:
            response = connection.request("POST", self._target(path, query), fields, data)
            message = "" if response.status in (101, 200) else _message(response)
        except BaseException:
            connection.close()
            raise
        if response.status in (101, 200):
            stream, ahead = connection.take_over()
            return stream, ahead, response.headers.get("content-type", "")
        connection.close()
        if self._steps_down(message):
            return self.hijack(path, query, body)
        raise ApiError(response.status, message)

    def another(self) -> Client:
        """A client of the same daemon with a connection of its own."""
        return Client(self.address, version=self.version, on_demand=self._on_demand)

    def close(self) -> None:
        """Close the idle connection."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def hang_up(self) -> None:
        """Break the connection under whoever reads from it on another thread: that thread sees its end."""
        if self._idle is not None:
            self._idle.hang_up()

    def _document(self, method: str, path: str, query: Query | None, body: object) -> _T:  # type: ignore[type-var]
        document: _T = loads(self.send(method, path, query, body).read())  # type: ignore[assignment]  # as the API promises
        return document

    def _target(self, path: str, query: Query | None) -> str:
        target = f"/v{self.version}{path}"
        if not (target.isascii() and target.isprintable()) or " " in target or "#" in target:
            from urllib.parse import quote

            target = quote(target, safe="!$%&'()*+,/:;=?@[]~")
        given = [
            (name, value) for name, value in (query or {}).items() if value not in (None, "") and value is not False
        ]
        if given:
            target += "?" + "&".join(f"{name}={_quoted(value)}" for name, value in given)
        return target

    def _steps_down(self, message: str) -> bool:
        """Whether *message* names an older version of the API, which is spoken from now on."""
        if self._agreed or _TOO_NEW not in message:
            return False
        self._agreed = True
        offered = message.rpartition(_TOO_NEW)[2].split()
        version = offered[0].rstrip(".,") if offered else ""
        major, _, minor = version.partition(".")
        if version == self.version or not (version.isascii() and major.isdecimal() and minor.isdecimal()):
            return False
        self.version = version
        return True

    def _ready(self) -> Connection:
        """The idle connection, or a new one when the daemon has hung up or an answer was left unread."""
        if self._idle is not None and not self._idle.reusable:
            self.close()
        if self._idle is None:
            self._idle = self._connect()
        return self._idle

    def _connect(self) -> Connection:
        try:
            return Connection(self.address)
        except ConnectionFailed:
            if not self._on_demand or os.geteuid() != 0:
                raise
            from havre.client.on_demand import start_daemon

            start_daemon(self.address)
            return Connection(self.address)


def json_lines(response: Response) -> Iterator[dict[str, object]]:
    """The progress lines of an answer. Raises ClientError when one of them tells an error."""
    for line in response.lines():
        document = loads(line)
        if not isinstance(document, dict):
            raise ClientError(f"a line of progress is no object: {line[:200]!r}")
        if document.get("error"):
            raise ClientError(str(document["error"]))
        yield document


def _quoted(value: str | int | None) -> str:
    if isinstance(value, bool):
        return "1"
    text = str(value)
    if text.isascii() and text.replace("_", "").replace("-", "").isalnum():
        return text
    from urllib.parse import quote

    return quote(text, safe="/:")


def _json_bytes(body: object) -> bytes:
    import json

    return json.dumps(body).encode()


def _message(response: Response) -> str:
    data = response.read()
    try:
        document = loads(data)
    except ClientError:
        document = None
    if isinstance(document, dict) and "message" in document:
        return str(document["message"])
    return data.decode(errors="replace").strip() or f"status {response.status}"
