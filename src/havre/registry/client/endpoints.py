"""Where a registry is: mirrors first, TLS first, and nothing weaker unless the host is called insecure."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from havre.base.errors import InvalidInput
from havre.oci.reference import DEFAULT_DOMAIN
from havre.registry.client.settings import Settings

HUB: Final = "registry-1.docker.io"
INDEX_SERVER: Final = "https://index.docker.io/v1/"
_ALWAYS_INSECURE: Final = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that serves *repository*. *verify* tells whether its certificate must be good."""

    base: str
    repository: str
    verify: bool = True
    mirror: bool = False

    @property
    def host(self) -> str:
        """Host and port, as certificate folders are named."""
        return urlsplit(self.base).netloc


@dataclass(frozen=True, slots=True)
class Mirror:
    """What begins with *prefix* (`docker.io`, `ghcr.io/org`) is at *base* under *path*, too."""

    prefix: str
    base: str
    path: str


def parse_mirror(text: str) -> Mirror:
    """Docker's `https://host[:port]`, or `PREFIX=URL`. Raises InvalidInput."""
    prefix, equals, url = text.partition("=")
    if not equals or "://" in prefix:
        prefix, url = DEFAULT_DOMAIN, text
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InvalidInput(f'invalid mirror: "{url[:200]}" is not a valid URI') from None
    if not sound:
        raise InvalidInput(f'invalid mirror: "{url[:200]}" is not a valid URI')
    if parts.query or parts.fragment:
        raise InvalidInput(f'invalid mirror: query, or fragment at end of the URI "{url[:200]}"')
    if parts.username or parts.password:
        raise InvalidInput(f'invalid mirror: username/password not allowed in URI "{parts.scheme}://xxxxx@…"')
    path = parts.path.strip("/")
    if path and not equals:
        raise InvalidInput(f'invalid mirror: path at end of the URI "{url[:200]}"')
    return Mirror(prefix.strip("/"), f"{parts.scheme}://{parts.netloc}", path)


def mirrors_of(settings: Settings, domain: str, path: str) -> list[Endpoint]:
    """The mirrors that serve a repository, the most particular first."""
    name = f"{domain}/{path}"
    fitting = [one for one in map(parse_mirror, settings.mirrors) if _begins(name, one.prefix)]
    fitting.sort(key=lambda one: -len(one.prefix))
    return [
        Endpoint(
            one.base,
            "/".join(filter(None, (one.path, name[len(one.prefix) :].strip("/")))),
            verify=not is_insecure(settings, urlsplit(one.base).netloc),
            mirror=True,
        )
        for one in fitting
    ]


def endpoints_of(settings: Settings, domain: str, path: str, addresses: Iterable[str] = ()) -> list[Endpoint]:
    """The registry itself: by TLS, and without when it is insecure. *addresses* are what its host resolves to."""
    if domain == DEFAULT_DOMAIN:
        return [Endpoint(f"https://{HUB}", path)]
    if not is_insecure(settings, domain, addresses):
        return [Endpoint(f"https://{domain}", path)]
    return [Endpoint(f"https://{domain}", path, verify=False), Endpoint(f"http://{domain}", path, verify=False)]


def is_insecure(settings: Settings, domain: str, addresses: Iterable[str] = ()) -> bool:
    """Whether a host was called insecure by its name, or by a range that one of its *addresses* is in."""
    host = urlsplit(f"//{domain}").hostname or ""
    ranges = [*_ALWAYS_INSECURE]
    for one in settings.insecure:
        name = one.partition("://")[2] or one
        if name.rstrip("/") == domain or name == host:
            return True
        ranges.append(name)
    return any(_is_in(address, one) for address in (host, *addresses) for one in ranges)


def _is_in(address: str, network: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]) in ip_network(network, strict=False)
    except ValueError:
        return False


def _begins(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}/")
