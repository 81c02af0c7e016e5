"""A request as the routes see it."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from havre.api.status import BodyTooLarge, MalformedRequest
from havre.base.errors import InvalidInput, Unavailable

JSON_LIMIT_BYTES: Final = 4 << 20
_HIGH_WATER_BYTES: Final = 512 << 10
_LOW_WATER_BYTES: Final = 128 << 10
_SLASHES: Final = re.compile(rb"(?:/|%2[Ff])+")
_FALSE: Final = frozenset(("", "0", "no", "false", "none"))


class ClientGone(Unavailable):
    """The client went away before the end of what it was sending."""


def _nothing() -> None:
    pass


class Body:
    """The bytes that follow a head, as they come; a reader that lags makes the client wait."""

    def __init__(self, wanted: Callable[[], None], pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.ended = False
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._wanted: Callable[[], None] | None = wanted
        self._pause, self._resume = pause, resume
        self._paused = False
        self._error: InvalidInput | ClientGone | None = None
        self._arrived: asyncio.Future[None] | None = None

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """A body that is there."""
        whole = cls(_nothing, _nothing, _nothing)
        whole.put([data])
        whole.finish()
        return whole

    def put(self, pieces: list[bytes]) -> None:
        """More has arrived."""
        self._pieces.extend(pieces)
        self._size += sum(map(len, pieces))
        if self._size > _HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._pause()
        self._wake()

    def finish(self) -> None:
        """All has arrived."""
        self.ended = True
        self._wake()

    def fail(self, error: InvalidInput | ClientGone) -> None:
        """No more will arrive, though more was promised."""
        if not self.ended and self._error is None:
            self._error = error
            self._wake()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces in order. Raises ClientGone or MalformedRequest where the body breaks off."""
        if self._wanted is not None and not self.ended:
            self._wanted()
        self._wanted = None
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                if self._paused and self._size < _LOW_WATER_BYTES:
                    self._paused = False
                    self._resume()
                yield piece
            if self._error is not None:
                raise self._error
            if self.ended:
                return
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived

    async def read(self, limit_bytes: int = JSON_LIMIT_BYTES) -> bytes:
        """The whole body. Raises BodyTooLarge over the limit."""
        if self.ended and len(self._pieces) <= 1 and self._size <= limit_bytes:
            return self._pieces.popleft() if self._pieces else b""
        whole = bytearray()
        async for piece in self:
            whole += piece
            if len(whole) > limit_bytes:
                raise BodyTooLarge(f"the request body is larger than {limit_bytes} bytes")
        return bytes(whole)

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)


class Query:
    """The part behind the question mark, parsed; of a repeated key the first value counts, as in Go."""

    def __init__(self, text: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        for pair in text.split(b"&") if text else ():
            if b";" in pair:
                raise InvalidInput("invalid semicolon separator in query")
            if pair:
                key, _, value = pair.partition(b"=")
                self._values.setdefault(unescape(key, plus=True), []).append(unescape(value, plus=True))

    def put(self, key: str, value: str) -> None:
        """Let *value* stand for *key*."""
        self._values[key] = [value]

    def text(self, key: str, default: str = "") -> str:
        """The value of *key*."""
        return self._values.get(key, (default,))[0]

    def find(self, key: str) -> str | None:
        """The value of *key*, or None when it was not given or is empty."""
        return self.text(key) or None

    def all(self, key: str) -> list[str]:
        """Every value of *key*."""
        return self._values.get(key, [])

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Whether *key* says yes; Docker takes everything but 0, no, false, none and nothing for a yes."""
        if key not in self._values:
            return default
        return self.text(key).strip().lower() not in _FALSE


class Request:
    """A head, its query, what the route cut out of the path, and the body to come."""

    __slots__ = ("_query", "_query_text", "_target", "body", "fields", "method", "parameters", "path", "version")

    def __init__(self, method: str, target: bytes, fields: dict[str, str], body: Body) -> None:
        self.method = method
        self.fields = fields
        self.body = body
        self.version = (0, 0)
        self.parameters: dict[str, str] = {}
        self._target = _origin_form(target)
        path, _, self._query_text = self._target.partition(b"?")
        self.path = unescape(path)
        self._query: Query | None = None

    @property
    def query(self) -> Query:
        """The query; parsed at the first look. Raises InvalidInput."""
        if self._query is None:
            self._query = Query(self._query_text)
        return self._query

    @property
    def single_slashed(self) -> str:
        """The target with one slash for each run of them."""
        path, mark, query = self._target.partition(b"?")
        return (_SLASHES.sub(b"/", path) + mark + query).decode(errors="replace")

    @property
    def wants_upgrade(self) -> bool:
        """Whether the client asked to leave HTTP on this connection."""
        return "upgrade" in self.fields and "upgrade" in self.fields.get("connection", "").lower()


def unescape(text: bytes, *, plus: bool = False) -> str:
    """*text* without percent escapes. Raises MalformedRequest for a broken escape, NUL or what is not UTF-8."""
    if plus:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        first, *others = text.split(b"%")
        text = first + b"".join(_unescaped(piece) for piece in others)
    if b"\0" in text:
        raise MalformedRequest("a NUL character in the request")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise MalformedRequest("the request is not UTF-8") from None


def _unescaped(piece: bytes) -> bytes:
    digits = piece[:2]
    if len(digits) != 2 or not digits.isalnum():
        raise MalformedRequest(f"invalid URL escape {'%' + digits.decode('latin-1')!r}")
    try:
        return bytes.fromhex(digits.decode("ascii")) + piece[2:]
    except ValueError:
        raise MalformedRequest(f"invalid URL escape {'%' + digits.decode('latin-1')!r}") from None


def _origin_form(target: bytes) -> bytes:
    """The path of a target that may name the server, too: RFC 9112, section 3.2.2."""
    if target.startswith(b"/"):
        return target
    scheme, slashes, rest = target.partition(b"://")
    if slashes and scheme.lower() in (b"http", b"https"):
        _, slash, path = rest.partition(b"/")
        return slash + path if slash else b"/"
    raise MalformedRequest("the request target is no path")
