"""The other registry, through our own client: its manifests and blobs, in the errors that a server answers with."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from havre.base.errors import HavreError
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.registry.client.documents import Document
from havre.registry.client.endpoints import Endpoint
from havre.registry.client.errors import Denied, LoginNeeded, NotThere
from havre.registry.client.exchange import Request
from havre.registry.client.keyring import STRANGER, Credentials, Keyring
from havre.registry.client.line import Line
from havre.registry.client.refusals import refusal
from havre.registry.client.repository import Repository
from havre.registry.client.settings import Settings
from havre.registry.client.transport import HttpTransport
from havre.registry.server.config.document import Proxy
from havre.registry.server.refusal import Code, Refusal

_SETTINGS: Final = Settings(attempts=4, pause_s=0.2)
"""Few attempts and short pauses: a client waits meanwhile, and has patience of its own."""


class UpstreamGone(Refusal):
    """The upstream registry does not answer, or not sensibly; trying later may help."""

    def __init__(self, message: str, *, status: int = 502) -> None:
        super().__init__(Code.UNAVAILABLE, message, status=status)


class Upstream:
    """One registry; all calls raise Refusal, UpstreamGone among them, in words that name it."""

    def __init__(self, proxy: Proxy) -> None:
        self._base = proxy.remoteurl.rstrip("/")
        who = Credentials(username=proxy.username, password=proxy.password) if proxy.username else STRANGER
        self._keyring = Keyring(self._base, who)
        self._transport = HttpTransport(_SETTINGS)

    async def close(self) -> None:
        """Give the connections back."""
        await self._transport.close()

    async def manifest(self, name: str, reference: str) -> Document:
        """A manifest by tag or digest, verified."""
        with self._meaning(name, Code.MANIFEST_UNKNOWN):
            return await self._repository(name).manifest(reference)

    async def tag_digest(self, name: str, tag: str) -> str:
        """What *tag* names now; empty when the upstream does not say."""
        with self._meaning(name, Code.MANIFEST_UNKNOWN):
            return (await self._repository(name).head(tag)).digest

    async def tags(self, name: str) -> list[str]:
        """All tags of a repository."""
        with self._meaning(name, Code.NAME_UNKNOWN):
            return await self._repository(name).tags()

    async def blob_size(self, name: str, digest: Digest) -> int:
        """Bytes of a blob."""
        with self._meaning(name, Code.BLOB_UNKNOWN):
            line = self._line(name)
            reply = await line.fetch(Request("HEAD", line.url(f"blobs/{digest}")), f"repository:{name}:pull")
            if reply.status != 200:
                raise refusal(reply).error("")
            length = reply.headers.get("content-length", "")
            if not (length.isascii() and length.isdigit() and len(length) < 16):
                raise UpstreamGone(f"upstream registry {self._base} does not say how long blob {digest} is")
            return int(length)

    async def blob(self, name: str, digest: Digest, size: int, start: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob from *start* on, through broken connections; not verified."""
        wanted = Descriptor(media_type="", digest=str(digest), size=size)
        with self._meaning(name, Code.BLOB_UNKNOWN):
            async with aclosing(self._repository(name).blob(wanted, start)) as pieces:
                async for piece in pieces:
                    yield piece

    def _repository(self, name: str) -> Repository:
        return Repository(name, [self._line(name)])

    def _line(self, name: str) -> Line:
        return Line(Endpoint(self._base, name), self._keyring, self._transport, _SETTINGS)

    @contextmanager
    def _meaning(self, name: str, missing: Code) -> Iterator[None]:
        """Inside, what the client raises becomes what the server answers."""
        try:
            yield
        except Refusal:
            raise
        except NotThere:
            raise Refusal(missing, f"upstream registry {self._base} does not have this in {name}") from None
        except (Denied, LoginNeeded) as error:
            raise Refusal(
                Code.DENIED, f"upstream registry {self._base} refuses access to {name}: {error.message}"
            ) from None
        except HavreError as error:
            raise UpstreamGone(f"upstream registry {self._base}: {error.message}") from error
