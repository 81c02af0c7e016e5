"""The other registry: its manifests and blobs, with its credentials, its tokens, and patience for its troubles."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.oci.descriptor import DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, OCI_INDEX, OCI_MANIFEST
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_MANIFEST_BYTES
from havre.registry.server.config.document import Proxy
from havre.registry.server.proxy.challenges import Challenge, parse_challenge
from havre.registry.server.refusal import Code, Refusal

_ACCEPT: Final = f"{OCI_INDEX}, {DOCKER_MANIFEST_LIST}, {OCI_MANIFEST}, {DOCKER_MANIFEST}"
_ATTEMPTS: Final = 4
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_MAX_TOKEN_ANSWER: Final = 1 << 20
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


class UpstreamGone(Refusal):
    """The upstream registry does not answer, or not sensibly; trying later may help."""

    def __init__(self, message: str, *, status: int = 502, headers: Mapping[str, str] | None = None) -> None:
        code = Code.TOOMANYREQUESTS if status == 429 else Code.UNAVAILABLE
        super().__init__(code, message, status=status, headers=headers)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest as the upstream gave it, not verified yet."""

    data: bytes
    media_type: str


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    expires_in: int = 60


class Upstream:
    """One registry at *url*; all calls raise Refusal, UpstreamGone among them, in words that name it."""

    def __init__(self, proxy: Proxy) -> None:
        self._base = proxy.remoteurl.rstrip("/")
        self._auth = aiohttp.BasicAuth(proxy.username, proxy.password) if proxy.username else None
        self._tls = ssl.create_default_context(cafile=proxy.ca) if proxy.ca else None
        self._tokens: dict[str, tuple[str, float]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()

    async def manifest(self, name: str, reference: str) -> Fetched:
        """A manifest by tag or digest."""
        async with self._get(f"/v2/{name}/manifests/{reference}", name, {"Accept": _ACCEPT}) as answer:
            data = await _read(answer, MAX_MANIFEST_BYTES, self._base)
            return Fetched(data, answer.headers.get("Content-Type", ""))

    async def tag_digest(self, name: str, tag: str) -> str:
        """What *tag* names now; empty when the upstream does not say."""
        async with self._get(f"/v2/{name}/manifests/{tag}", name, {"Accept": _ACCEPT}, "HEAD") as answer:
            return answer.headers.get("Docker-Content-Digest", "")

    async def blob_size(self, name: str, digest: Digest) -> int:
        """Bytes of a blob."""
        async with self._get(f"/v2/{name}/blobs/{digest}", name, {}, "HEAD") as answer:
            return _length(answer, self._base)

    @asynccontextmanager
    async def blob(self, name: str, digest: Digest, start: int) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """The size of a blob, and its bytes from *start* on."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        async with self._get(f"/v2/{name}/blobs/{digest}", name, headers) as answer:
            partial = answer.status == 206
            size = _length(answer, self._base) + (start if partial else 0)
            yield size, _from(answer, 0 if partial else start)

    @asynccontextmanager
    async def _get(
        self, path: str, name: str, headers: dict[str, str], method: str = "GET"
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer. What passes by itself is tried again, with pauses that double."""
        pause = _FIRST_PAUSE_S
        for attempt in range(1, _ATTEMPTS + 1):
            async with AsyncExitStack() as opened:
                try:
                    answer = await self._authorised(method, path, name, headers, opened)
                    self._check(answer, name, path)
                except UpstreamGone as gone:
                    wanted = _retry_after(gone.headers)
                    if attempt == _ATTEMPTS or wanted > _LONGEST_PAUSE_S:
                        raise
                else:
                    yield answer
                    return
            await asyncio.sleep(max(pause, wanted))
            pause *= 2

    async def _authorised(
        self, method: str, path: str, name: str, headers: dict[str, str], opened: AsyncExitStack
    ) -> aiohttp.ClientResponse:
        known = self._tokens.get(name)
        bearer = known[0] if known is not None and known[1] > time.monotonic() else ""
        answer = await self._ask(method, path, headers, bearer, opened)
        if answer.status != 401:
            return answer
        challenge = parse_challenge(answer.headers.get("WWW-Authenticate", ""))
        answer.release()
        if challenge.scheme == "bearer":
            bearer = await self._token(challenge, name, opened)
        elif challenge.scheme != "basic" or self._auth is None:
            raise Refusal(Code.DENIED, f"upstream registry {self._base} wants credentials that this cache has not")
        return await self._ask(method, path, headers, bearer, opened)

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], bearer: str, opened: AsyncExitStack
    ) -> aiohttp.ClientResponse:
        sent = {**headers, "Authorization": f"Bearer {bearer}"} if bearer else headers
        auth = None if bearer else self._auth
        try:
            answer = await opened.enter_async_context(
                self._opened().request(method, self._base + path, headers=sent, auth=auth, max_redirects=5)
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UpstreamGone(f"upstream registry {self._base} does not answer: {_said(error)}") from error
        if self._base.startswith("https:") and answer.url.scheme != "https":
            raise UpstreamGone(f"upstream registry {self._base} leads from https to http: not followed")
        return answer

    async def _token(self, challenge: Challenge, name: str, opened: AsyncExitStack) -> str:
        realm = challenge.fields.get("realm", "")
        if urlsplit(realm).scheme not in ({"https"} if self._base.startswith("https:") else {"http", "https"}):
            raise UpstreamGone(f"upstream registry {self._base} names an unusable token service: {realm[:160]!r}")
        query = {"scope": f"repository:{name}:pull"}
        if challenge.fields.get("service"):
            query["service"] = challenge.fields["service"]
        try:
            answer = await opened.enter_async_context(self._opened().get(realm, params=query, auth=self._auth))
            if answer.status in (401, 403):
                raise Refusal(Code.DENIED, f"the token service of upstream registry {self._base} refuses this cache")
            if answer.status != 200:
                raise UpstreamGone(f"the token service of upstream registry {self._base} answers {answer.status}")
            found = msgspec.json.decode(await _read(answer, _MAX_TOKEN_ANSWER, self._base), type=_Token)
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamGone(f"the token service of upstream registry {self._base}: {_said(error)}") from error
        token = found.token or found.access_token
        self._tokens[name] = (token, time.monotonic() + max(1, found.expires_in - 10))
        return token

    def _check(self, answer: aiohttp.ClientResponse, name: str, path: str) -> None:
        status = answer.status
        if status in (200, 206):
            return
        if status == 404:
            code = Code.BLOB_UNKNOWN if "/blobs/" in path else Code.MANIFEST_UNKNOWN
            raise Refusal(code, f"upstream registry {self._base} does not have this in {name}")
        if status in (401, 403):
            self._tokens.pop(name, None)
            raise Refusal(Code.DENIED, f"upstream registry {self._base} refuses access to {name}")
        kept = {key: value for key in ("Retry-After",) if (value := answer.headers.get(key))}
        message = f"upstream registry {self._base} answers {status} {answer.reason or ''}".rstrip()
        if status in _PASSING:
            raise UpstreamGone(message, status=429 if status == 429 else 502, headers=kept)
        raise Refusal(Code.UNAVAILABLE, message, status=502)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._tls) if self._tls is not None else None
            self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, auto_decompress=False)
        return self._session


async def _read(answer: aiohttp.ClientResponse, limit: int, base: str) -> bytes:
    data = bytearray()
    try:
        async for piece in answer.content.iter_any():
            data += piece
            if len(data) > limit:
                raise Refusal(Code.UNAVAILABLE, f"upstream registry {base} sends more than {limit} bytes", status=502)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise UpstreamGone(f"upstream registry {base} broke off: {_said(error)}") from error
    return bytes(data)


async def _from(answer: aiohttp.ClientResponse, skip: int) -> AsyncIterator[bytes]:
    """The bytes of *answer* after the first *skip*: a server may ignore a Range."""
    try:
        async for piece in answer.content.iter_any():
            if skip >= len(piece):
                skip -= len(piece)
                continue
            yield piece[skip:]
            skip = 0
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ConnectionResetError(_said(error)) from error


def _length(answer: aiohttp.ClientResponse, base: str) -> int:
    try:
        return parse_int(answer.headers.get("Content-Length", ""), what="Content-Length")
    except InvalidInput:
        raise UpstreamGone(f"upstream registry {base} does not say how long a blob is") from None


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
