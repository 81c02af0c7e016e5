"""Who asks a registry, and how it is told: the token and the basic scheme (distribution, spec/auth/token.md).

One keyring serves one registry and one user. It keeps what it learned: the scheme, and tokens until they expire.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from havre.registry.client.challenges import Challenge, parse_challenges
from havre.registry.client.errors import BadAnswer, LoginNeeded
from havre.registry.client.exchange import Conversation, Reply, Request, origin
from havre.registry.client.following import shown
from havre.registry.client.refusals import refusal

CLIENT_ID: Final = "havre"
_LIFE_S: Final = 60
_MAX_LIFE_S: Final = 24 * 3600
_EARLY_S: Final = 5
_NO_POST: Final = frozenset((404, 405))
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a user gave for one registry; all empty means a stranger. Never printed."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.username or self.identity_token or self.registry_token)

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, …)"


STRANGER: Final = Credentials()


class _Answer(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""
    expires_in: int = _LIFE_S
    refresh_token: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    until_s: float


class Keyring:
    """Signs requests to the registry at *base*. What it holds goes to that origin and to its token realm alone."""

    def __init__(self, base: str, who: Credentials = STRANGER, clock: Callable[[], float] = monotonic) -> None:
        self._origin = origin(base)
        self._who = who
        self._clock = clock
        self._basic = False
        self._tokens: dict[tuple[str, ...], _Token] = {}
        self.identity_token = ""
        """A refresh token that the realm gave for the password, to be kept in its place."""

    def talk(self, request: Request, scopes: Iterable[str] = ()) -> Conversation:
        """*request* with the rights *scopes*; one more round where the registry asks who it is.

        A token that the registry no longer takes is renewed once. The reply is what the registry said last.
        """
        if origin(request.url) != self._origin:  # another party: it gets nothing, whatever it asks for
            return (yield request)
        wanted = tuple(scopes)
        signed = self._signed(request, wanted)
        reply = yield signed
        if reply.status != 401 or self._who.registry_token:
            return reply
        challenges = {one.scheme: one for one in reversed(parse_challenges(reply.headers.get("www-authenticate", "")))}
        if (bearer := challenges.get("bearer")) is not None:
            yield from self._fetch_token(bearer, wanted)
        elif "basic" not in challenges or "Authorization" in signed.headers:
            return reply
        elif self._who.username:
            self._basic = True
        else:
            raise LoginNeeded(f'{request.method.title()} "{shown(request.url)}": no basic auth credentials')
        return (yield self._signed(request, wanted))

    def _signed(self, request: Request, scopes: tuple[str, ...]) -> Request:
        if self._who.registry_token:
            return request.having(Authorization=f"Bearer {self._who.registry_token}")
        if self._basic:
            return request.having(Authorization=basic(self._who))
        token = self._tokens.get(scopes)
        if token is not None and self._clock() < token.until_s:
            return request.having(Authorization=f"Bearer {token.text}")
        return request

    def _fetch_token(self, challenge: Challenge, scopes: tuple[str, ...]) -> Conversation:
        realm = self._checked_realm(challenge.parameters.get("realm", ""))
        service = challenge.parameters.get("service", "")
        told = challenge.parameters.get("scope", "").split()
        asked = tuple(dict.fromkeys((*scopes, *told)))
        reply = yield self._token_request(realm, service, asked)
        if reply.status in _NO_POST and self._who.identity_token:
            raise LoginNeeded(f"{realm} takes no identity tokens: log in with a password")
        if reply.status in {401, 403}:
            raise LoginNeeded(f"unauthorized: {refusal(reply).words or 'incorrect username or password'}")
        if reply.status != 200:
            raise refusal(reply).error(f"getting a token from {realm}")
        answer = _decoded(reply, realm)
        text = answer.token or answer.access_token
        if not text or not text.isascii() or not text.isprintable():
            raise BadAnswer(f"{realm} answered without a token")
        life_s = min(max(answer.expires_in, _LIFE_S), _MAX_LIFE_S) - _EARLY_S
        self._tokens[scopes] = _Token(text, self._clock() + life_s)
        self.identity_token = answer.refresh_token
        return reply

    def _token_request(self, realm: str, service: str, scopes: tuple[str, ...]) -> Request:
        who = self._who
        if who.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": CLIENT_ID,
                "refresh_token": who.identity_token,
                "scope": " ".join(scopes),
            }
            return Request("POST", realm, _FORM, urlencode(form).encode(), whole=True)
        pairs = [("service", service)] if service else []
        pairs += [("scope", scope) for scope in scopes]
        if who.username:
            pairs += [("account", who.username)]
        if who.username and not scopes:  # a login: something to keep instead of the password is welcome
            pairs += [("client_id", CLIENT_ID), ("offline_token", "true")]
        joint = "&" if urlsplit(realm).query else "?"
        request = Request("GET", realm + joint + urlencode(pairs) if pairs else realm, whole=True)
        return request.having(Authorization=basic(who)) if who.username else request

    def _checked_realm(self, realm: str) -> str:
        """Credentials that may go to the registry by TLS go nowhere without."""
        try:
            scheme, host, port = origin(realm)
        except ValueError:
            scheme, host, port = "", "", 0
        if scheme not in {"http", "https"} or not host or not port:
            raise BadAnswer(f"the registry names an impossible place for tokens: {realm[:200]!r}")
        if scheme == "http" and self._origin[0] == "https":
            raise BadAnswer(f"the registry names a place for tokens without TLS: {realm[:200]!r}")
        return realm


def basic(who: Credentials) -> str:
    """The header of the basic scheme (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{who.username}:{who.password}".encode()).decode()


def _decoded(reply: Reply, realm: str) -> _Answer:
    try:
        return msgspec.json.decode(reply.body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"{realm} answered without a token: {str(error)[:200]}") from None
