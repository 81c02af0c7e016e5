"""Redirects: where they may lead, and what must not go along."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Final
from urllib.parse import urljoin

from havre.registry.client.errors import BadAnswer
from havre.registry.client.exchange import Conversation, Reply, Request, origin

_MAX_HOPS: Final = 5
_KEEPS_METHOD: Final = frozenset((307, 308))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


def followed(request: Request, sign: Callable[[Request], Conversation]) -> Conversation:
    """*request* and what its answers redirect to; *sign* adds credentials where they belong.

    Raises BadAnswer for more than five redirects, for one that leaves TLS, and for one that leads from another host
    to this machine.
    """
    reply = yield from sign(request)
    for _ in range(_MAX_HOPS):
        if not _is_redirect(request, reply):
            return reply
        request = redirected(request, reply)
        reply = yield from sign(request)
    if _is_redirect(request, reply):
        raise BadAnswer(f"more than {_MAX_HOPS} redirects, the last one from {shown(request.url)}")
    return reply


def redirected(request: Request, reply: Reply) -> Request:
    """*request* at the place where *reply* sends it. Raises BadAnswer."""
    return replace(request, url=target(request.url, reply), guarded=request.guarded or not is_local(request.url))


def target(url: str, reply: Reply) -> str:
    """The absolute URL in the reply's Location. Raises BadAnswer for one that may not be followed."""
    location = reply.headers.get("location", "")
    try:
        goal = urljoin(url, location)
        scheme, host, port = origin(goal)
    except ValueError:
        scheme, host, port, goal = "", "", 0, ""
    if scheme not in {"http", "https"} or not host or not port or not location:
        raise BadAnswer(f"{shown(url)} sends to an impossible place: {location[:200]!r}")
    if scheme == "http" and origin(url)[0] == "https":
        raise BadAnswer(f"{shown(url)} sends to a place without TLS: {shown(goal)}")
    if is_local(goal) and not is_local(url):
        raise BadAnswer(f"{shown(url)} sends to this machine: {shown(goal)}")
    return goal


def is_local(url: str) -> bool:
    """Whether the host of *url*, as it is written, is this machine or one of its links."""
    host = origin(url)[1]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return is_local_address(host)
    except ValueError:
        return False


def is_local_address(text: str) -> bool:
    """Whether an address is loopback, link-local or nothing at all. Raises ValueError for what is none."""
    address = ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified)


def shown(url: str) -> str:
    """*url* without its query, which may be a key to something."""
    return url.partition("?")[0][:300]


def _is_redirect(request: Request, reply: Reply) -> bool:
    allowed = _REDIRECTS if request.method in {"GET", "HEAD"} else _KEEPS_METHOD
    return reply.status in allowed and "location" in reply.headers
