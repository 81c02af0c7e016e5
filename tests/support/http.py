"""A raw Engine API client over a unix socket: one connection, no retries, nothing hidden."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float = 60) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.sock.close()
            raise


class Api:
    """Requests to one engine; `version` "" sends no version prefix."""

    def __init__(self, path: Path, version: str = "1.41") -> None:
        self.path = path
        self.version = version
        self._connection = UnixConnection(path)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        target = (f"/v{self.version}" if self.version else "") + quote(path, safe="/:@%?=&")
        if query:
            target += "?" + urlencode({k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()})
        given = {"Content-Type": "application/json"} if body is not None else {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, target, data, {**given, **(headers or {})})
        answer = self._connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def get(self, path: str, **query: object) -> Answer:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: object = None, **query: object) -> Answer:
        return self.call("POST", path, body, query=query)

    def delete(self, path: str, **query: object) -> Answer:
        return self.call("DELETE", path, query=query)

    def close(self) -> None:
        self._connection.close()

    def __del__(self) -> None:
        self.close()
