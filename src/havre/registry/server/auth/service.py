"""The built-in token service: trades a password or a refresh token for a short-lived token with the user's rights."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from havre.base.clock import rfc3339
from havre.base.tasks import in_thread
from havre.registry.server.auth.access import CATALOG, Rules
from havre.registry.server.auth.callers import CATALOG_SCOPE, parse_basic, parse_scope
from havre.registry.server.auth.htpasswd import Htpasswd
from havre.registry.server.auth.tokens import BadToken, Grant, Signer
from havre.registry.server.refusal import Code, Refusal

PATH: Final = "/auth/token"
REFRESH_S: Final = 90 * 24 * 3600
_REFRESH: Final = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a token; without *user* an anonymous one. *refresh* stands in for a password."""

    user: str = ""
    password: str = ""
    refresh: str = ""
    scopes: tuple[str, ...] = ()
    offline: bool = False


class TokenService:
    """Gives tokens to the users of a htpasswd file, with the rights that the rules give them."""

    def __init__(self, signer: Signer, users: Htpasswd, rules: Rules, lifetime_s: int) -> None:
        self._signer = signer
        self._verifier = signer.verifier()
        self._users = users
        self._rules = rules
        self._lifetime_s = lifetime_s

    async def answer(self, asked: Asked) -> dict[str, object]:
        """The service's JSON. Raises Refusal (401) for a wrong password or refresh token."""
        user = await self._user(asked)
        token = self._signer.sign(user, self._grants(user, asked.scopes), self._lifetime_s)
        answer: dict[str, object] = {
            "token": token,
            "access_token": token,
            "expires_in": self._lifetime_s,
            "issued_at": rfc3339(int(time.time()) * 10**9),
        }
        if user and (asked.offline or asked.refresh):
            proof = await in_thread(self._users.fingerprint, user)
            answer["refresh_token"] = self._signer.sign(user, (), REFRESH_S, use=_REFRESH, proof=proof)
        return answer

    async def _user(self, asked: Asked) -> str:
        if asked.refresh:
            return await self._refreshed(asked.refresh)
        if not asked.user and not asked.password:
            return ""
        if not await self._users.check(asked.user, asked.password):
            raise Refusal(Code.UNAUTHORIZED, "incorrect username or password")
        return asked.user

    async def _refreshed(self, token: str) -> str:
        """The user of a refresh token, which holds as long as the password that it was given for."""
        try:
            claims = self._verifier.verify(token)
        except BadToken as error:
            raise Refusal(Code.UNAUTHORIZED, error.message) from None
        proof = await in_thread(self._users.fingerprint, claims.subject)
        if claims.extra.get("use") != _REFRESH or not proof or claims.extra.get("proof") != proof:
            raise Refusal(Code.UNAUTHORIZED, "the refresh token is no longer valid")
        return claims.subject

    def _grants(self, user: str, scopes: Iterable[str]) -> list[Grant]:
        grants = []
        for text in scopes:
            scope = parse_scope(text)
            if scope is None:
                continue
            if scope.type == "repository":
                allowed = {action.value for action in self._rules.allowed(scope.name, user)}
                wanted = allowed if CATALOG in scope.actions else scope.actions & allowed
                grants.append(Grant("repository", scope.name, sorted(wanted)))
            elif scope == CATALOG_SCOPE and (user or self._rules.any_anonymous()):
                grants.append(Grant(scope.type, scope.name, [CATALOG]))
        return grants


def asked_by_query(authorization: str, scopes: Iterable[str], *, offline: bool) -> Asked:
    """A GET of the service, its credentials in the Authorization header."""
    scheme, _, value = authorization.partition(" ")
    user, password = parse_basic(value) if scheme.lower() == "basic" else ("", "")
    return Asked(user=user, password=password, scopes=_split(scopes), offline=offline)


def asked_by_form(form: dict[str, str]) -> Asked:
    """A POST of the service, as OAuth 2 has it (RFC 6749). Raises Refusal for a grant type of another kind."""
    match form.get("grant_type"):
        case "password":
            credentials = {"user": form.get("username", ""), "password": form.get("password", "")}
        case "refresh_token":
            credentials = {"refresh": form.get("refresh_token", "")}
        case other:
            raise Refusal(Code.UNSUPPORTED, f"unsupported grant type: {(other or '')[:64]!r}", status=400)
    if not any(credentials.values()):
        raise Refusal(Code.UNAUTHORIZED, "credentials are missing")
    offline = form.get("access_type") == "offline"
    return Asked(**credentials, scopes=_split([form.get("scope", "")]), offline=offline)


def _split(scopes: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for text in scopes for part in text.split(" ") if part)[:100]
