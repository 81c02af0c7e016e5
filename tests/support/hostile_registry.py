"""A registry on loopback that does to clients what a test tells it to: a small server on plain streams."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from urllib.parse import parse_qs

from tests.support.archives import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, config, digest


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Answer:
    """One answer, and the harm in it: *cut* ends the body early, by a reset or an end; *pause_s* follows each piece."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    stall: bool = False
    piece: int = 1 << 16
    pause_s: float = 0.0
    length: int | None = None
    endless: bool = False


Fault = Callable[[Asked, int], Answer | None]
"""Given a request and how often its like came before, a bad answer, or None for the right one."""


class HostileRegistry:
    """Serves what `add` was given, unless *fault* has something else."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.asked: list[Asked] = []
        self.fault: Fault = lambda _asked, _times: None
        self.ranges = True
        self.break_after: int | None = None
        """The next PATCH of more bytes is taken so far only; then its connection is reset."""
        self.uploads: dict[str, bytearray] = {}
        self.port = 0
        self._times: dict[tuple[str, str], int] = {}

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def requests(self, pattern: str) -> list[Asked]:
        return [one for one in self.asked if re.search(pattern, f"{one.method} {one.path}")]

    # -- what is there

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        self.blobs[digest(data)] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}

    def add(
        self, tag: str, layers: list[bytes], packed: list[bytes] | None = None, suffix: str = "", **changes: Any
    ) -> str:
        """An image of *layers*; gives its digest."""
        stored = [self.blob(one, OCI_LAYER + suffix) for one in packed or layers]
        return self.manifest(tag, {"config": self.blob(config(layers, **changes), OCI_CONFIG), "layers": stored})

    def manifest(self, tag: str, body: dict[str, Any], media_type: str = OCI_MANIFEST) -> str:
        data = json.dumps({"schemaVersion": 2, "mediaType": media_type, **body}).encode()
        self.manifests[tag] = self.manifests[digest(data)] = (media_type, data)
        return digest(data)

    def index(self, tag: str, manifests: list[dict[str, Any]]) -> str:
        return self.manifest(tag, {"manifests": manifests}, OCI_INDEX)

    # -- how it is served

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[HostileRegistry]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (asked := await _read(reader, lambda: self.break_after)) is not None:
                self.asked.append(asked)
                length = int(asked.headers.get("content-length", "0"))
                if self.break_after is not None and asked.method == "PATCH" and length > self.break_after:
                    await self._break(asked, writer)
                    break
                key = (asked.method, asked.path)
                times = self._times[key] = self._times.get(key, -1) + 1
                answer = self.fault(asked, times) or self.right(asked)
                if not await _write(writer, asked, answer):
                    break
        writer.close()

    async def _break(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        """Keep what came, and reset the connection, once."""
        self.break_after = None
        self.uploads[asked.path] += asked.body
        raw = writer.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def right(self, asked: Asked) -> Answer:
        """The answer of an honest registry."""
        if asked.path == "/v2/":
            return Answer()
        if asked.method != "PUT" and (found := re.fullmatch(r"/v2/.+/manifests/(.+)", asked.path)):
            if found[1] not in self.manifests:
                return Answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
            media_type, data = self.manifests[found[1]]
            return Answer(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest(data)})
        if found := re.fullmatch(r"/v2/.+/blobs/(sha256:.+)", asked.path):
            if found[1] not in self.blobs:
                return Answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}')
            data = self.blobs[found[1]]
            asked_range = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
            if asked_range and self.ranges:
                start = int(asked_range[1])
                return Answer(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
            return Answer(200, data)
        return self._write(asked)

    def _write(self, asked: Asked) -> Answer:
        """Uploads and manifests that come."""
        path, _, query = asked.path.partition("?")
        if asked.method == "POST" and path.endswith("/blobs/uploads/"):
            mounted = parse_qs(query).get("mount", [""])[0]
            if mounted in self.blobs:
                return Answer(201, b"", {"Location": path.replace("uploads/", mounted)})
            place = f"{path}{len(self.uploads)}"
            self.uploads[place] = bytearray()
            return Answer(202, b"", {"Location": place})
        if path in self.uploads:
            return self._continue(asked, path, query)
        if asked.method == "PUT" and (found := re.fullmatch(r"/v2/.+/manifests/(.+)", path)):
            self.manifests[found[1]] = self.manifests[digest(asked.body)] = (asked.headers["content-type"], asked.body)
            return Answer(201)
        return Answer(404)

    def _continue(self, asked: Asked, path: str, query: str) -> Answer:
        held = self.uploads[path]
        where = {"Location": path, "Range": f"0-{max(0, len(held) - 1)}"}
        if asked.method == "GET":
            return Answer(204, b"", where)
        start = asked.headers.get("content-range", "").partition("-")[0]
        if start and int(start) != len(held):
            return Answer(416, b"", where)
        held += asked.body
        if asked.method == "PATCH":
            return Answer(202, b"", {**where, "Range": f"0-{len(held) - 1}"})
        name = parse_qs(query)["digest"][0]
        if digest(bytes(held)) != name:
            return Answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"digest invalid"}]}')
        self.blobs[name] = bytes(self.uploads.pop(path))
        return Answer(201, b"", {"Location": f"/v2/x/blobs/{name}"})


async def _read(reader: asyncio.StreamReader, at_most: Callable[[], int | None]) -> Asked | None:
    """The next request; of an upload *at_most* so many bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    most = at_most()
    body = await reader.readexactly(min(length, most) if most is not None and method == "PATCH" else length)
    return Asked(method, path, headers, body)


async def _write(writer: asyncio.StreamWriter, asked: Asked, answer: Answer) -> bool:
    """Whether the connection is still good."""
    body = b"" if asked.method == "HEAD" else answer.body
    length = answer.length if answer.length is not None else len(answer.body)
    headers = {"Content-Length": str(length), **answer.headers}
    if answer.endless:
        headers = {"Transfer-Encoding": "chunked", **answer.headers}
    head = (
        f"HTTP/1.1 {answer.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    )
    whole = head.encode() + body if not answer.endless else head.encode()
    sent = whole if answer.cut is None else whole[: answer.cut if answer.cut < 0 else len(head) + answer.cut]
    for start in range(0, len(sent), answer.piece):
        writer.write(sent[start : start + answer.piece])
        await writer.drain()
        if answer.pause_s:
            await asyncio.sleep(answer.pause_s)
    while answer.endless:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()
    if answer.stall:
        await asyncio.sleep(3600)
    if answer.reset:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return answer.cut is None and not answer.reset and length == len(answer.body)
