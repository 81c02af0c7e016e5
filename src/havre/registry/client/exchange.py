"""Requests and replies as plain values: what conversations are made of."""

from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, TypeAlias
from urllib.parse import urlsplit

from havre.registry.client.bodies import Body

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """One request to an absolute *url*. With *whole* the answer's body is wanted at once, and is small.

    A *guarded* one was asked for by a registry on another host: it must not lead to this machine or its links.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    whole: bool = False
    guarded: bool = False

    def having(self, **headers: str) -> Self:
        """The same with more headers; underscores stand for hyphens."""
        return replace(self, headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: header names in lower case; *body* is there when the status is an error or `whole` was asked."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Answer(Protocol):
    """An answer whose body may still be on its way; close it."""

    reply: Reply

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Unreachable when it breaks off, stalls, or only drips."""

    async def read(self) -> bytes:
        """The whole body. Raises BadAnswer for one that is not small, Unreachable."""

    async def read_error(self) -> bytes:
        """What an error's body says; whatever happens to it, the status is what counts."""

    def close(self) -> None:
        """Give the connection back if the body was read to its end; else drop it."""


class Transport(Protocol):
    """Brings requests to where they belong."""

    async def send(self, request: Request, *, verify: bool) -> Answer:
        """Send one request and wait for the head of its answer. Raises Unreachable, BadAnswer, InvalidInput."""

    async def close(self) -> None:
        """Drop all connections."""


Conversation: TypeAlias = Generator[Request, Reply, Reply]
"""Yields what to send, is sent what came back, returns the reply that counts."""


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what must be equal for two URLs to be one party (RFC 6454)."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(scheme, 0)
