"""All registries, as the engine asks them: repositories to read and write, logins, searches."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread
from havre.oci.reference import DEFAULT_DOMAIN, Reference
from havre.registry.client.endpoints import INDEX_SERVER, Endpoint, endpoints_of, mirrors_of
from havre.registry.client.errors import BadAnswer, LoginNeeded, Refused, Unreachable
from havre.registry.client.exchange import Request, Transport
from havre.registry.client.keyring import STRANGER, Credentials, Keyring
from havre.registry.client.line import Line
from havre.registry.client.pauses import Attempts
from havre.registry.client.refusals import refusal
from havre.registry.client.repository import Repository
from havre.registry.client.settings import Settings
from havre.registry.client.uploads import Uploads

_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that a search brought."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Results(msgspec.Struct, frozen=True):
    results: list[Found] | None = None


class Registries:
    """Of one event loop; nothing is opened before the first request. No credentials outlive what they came with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opening = asyncio.Lock()
        self._transport: Transport | None = None
        self._bases: dict[str, str] = {}

    async def close(self) -> None:
        """Drop all connections."""
        if self._transport is not None:
            await self._transport.close()

    async def repository(self, reference: Reference, who: Credentials) -> Repository:
        """The repository of *reference*, to read from: its mirrors as a stranger, then the registry itself."""
        transport = await self._open()
        lines = [self._line(one, STRANGER, transport) for one in mirrors_of(self.settings, *_names(reference))]
        own = self._line(await self._endpoint(reference), who, transport)
        return Repository(reference.familiar_name, [*lines, own])

    async def uploads(self, reference: Reference, who: Credentials) -> Uploads:
        """The repository of *reference*, to write to."""
        endpoint = await self._endpoint(reference)
        return Uploads(reference.familiar_name, self._line(endpoint, who, await self._open()))

    async def login(self, server: str, who: Credentials) -> str:
        """Try *who* at the registry *server*. An identity token, if it gave one to keep instead of the password.

        Raises LoginNeeded when it does not take them, Unreachable, InvalidInput.
        """
        domain = domain_of(server)
        endpoint = await self._endpoint(Reference(domain, ""))
        line = self._line(endpoint, who, await self._open())
        place = f"{endpoint.base}/v2/"
        reply = await line.fetch(Request("GET", place, whole=True))
        if reply.status == 401:
            raise LoginNeeded(f"login attempt to {place} failed with status: 401 Unauthorized")
        if reply.status != 200:
            raise refusal(reply).error(f"login attempt to {place} failed")
        return line.keyring.identity_token

    async def search(self, term: str, limit: int, who: Credentials) -> list[Found]:
        """What the index that *term* names (`host/term`; Docker Hub without) finds for it."""
        domain, words = _split_term(term)
        if domain == DEFAULT_DOMAIN:
            endpoint = Endpoint(INDEX_SERVER.removesuffix("/v1/"), "")
        else:
            endpoint = await self._endpoint(Reference(domain, ""))
        line = self._line(endpoint, who, await self._open())
        query = urlencode({"q": words, "n": limit}, quote_via=quote)
        reply = await line.fetch(Request("GET", f"{endpoint.base}/v1/search?{query}", whole=True))
        if reply.status != 200:
            raise BadAnswer(f"Unexpected status code {reply.status}")
        try:
            return msgspec.json.decode(reply.body, type=_Results).results or []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer(f"search at {endpoint.base}: {str(error)[:200]}") from None

    def _line(self, endpoint: Endpoint, who: Credentials, transport: Transport) -> Line:
        return Line(endpoint, Keyring(endpoint.base, who), transport, self.settings)

    async def _open(self) -> Transport:
        async with self._opening:
            if self._transport is None:
                await in_thread(_load_transport)
                from havre.registry.client.transport import HttpTransport

                self._transport = HttpTransport(self.settings)
            return self._transport

    async def _endpoint(self, reference: Reference) -> Endpoint:
        """Where the registry of *reference* answers; the weaker ways are tried only after the stronger failed."""
        domain, path = _names(reference)
        addresses = await _addresses(domain) if domain != DEFAULT_DOMAIN else ()
        found = endpoints_of(self.settings, domain, path, addresses)
        if len(found) == 1:
            return found[0]
        known = self._bases.get(domain, "")
        found.sort(key=lambda one: one.base != known)
        chosen = await self._first_that_answers(found)
        self._bases[domain] = chosen.base
        return chosen

    async def _first_that_answers(self, endpoints: Sequence[Endpoint]) -> Endpoint:
        transport = await self._open()
        attempts = Attempts(self.settings.attempts, self.settings.pause_s)
        while True:
            failure: Unreachable | BadAnswer | None = None
            for one in endpoints:
                try:
                    answer = await transport.send(Request("GET", f"{one.base}/v2/"), verify=one.verify)
                except (Unreachable, BadAnswer) as error:
                    # Of several failures the plainest tells most: a server without TLS is no mystery.
                    failure = error if failure is None or not one.base.startswith("https") else failure
                    continue
                answer.close()
                return one
            pause_s = None if isinstance(failure, Refused) else attempts.failed()
            if pause_s is None:
                raise failure or Unreachable("no registry to ask")
            await asyncio.sleep(pause_s)


def credentials_for(domain: str, who: Mapping[str, Credentials]) -> Credentials:
    """Those of *who* for the registry *domain*, by any of the spellings that config.json has for it."""
    return next((found for server, found in who.items() if _host_of(server) == domain), STRANGER)


def _host_of(server: str) -> str:
    host = (server.partition("://")[2] or server).partition("/")[0]
    return DEFAULT_DOMAIN if host in _HUB else host


def domain_of(server: str) -> str:
    """The registry that a login names: `host[:port]`, a URL of it, or nothing for Docker Hub. Raises InvalidInput."""
    bare = server.partition("://")[2] or server
    host = bare.partition("/")[0]
    if host in {"", *_HUB}:
        return DEFAULT_DOMAIN
    try:
        return Reference.parse(f"{host}/x").domain if urlsplit(f"//{host}").hostname else ""
    except ValueError:
        raise InvalidInput(f"invalid registry: {server[:200]!r}") from None


def _names(reference: Reference) -> tuple[str, str]:
    return reference.domain, reference.path


def _split_term(term: str) -> tuple[str, str]:
    first, slash, rest = term.partition("/")
    if "://" in term:
        raise InvalidInput(f"invalid repository name: repository name ({term[:200]}) should not have a scheme")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return domain_of(first), rest
    return DEFAULT_DOMAIN, term.removeprefix("library/")


async def _addresses(domain: str) -> Sequence[str]:
    host = urlsplit(f"//{domain}").hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(one[4][0]) for one in found]


def _load_transport() -> None:
    """Half a second of imports, away from the loop."""
    import havre.registry.client.transport  # noqa: F401
