"""Who asks: read from the Authorization header, and held against what the request needs."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from havre.registry.server.auth.access import CATALOG, Action, Rules
from havre.registry.server.auth.htpasswd import Htpasswd
from havre.registry.server.auth.tokens import BadToken, Claims, Verifier
from havre.registry.server.refusal import Code, Refusal

_ACTIONS: Final = {action.value: action for action in Action}


@dataclass(frozen=True, slots=True)
class Caller:
    """A client: *user* (empty: anonymous), and the *claims* of its token if it showed one."""

    user: str = ""
    claims: Claims | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing and what is to be done with it, as token scopes write it."""

    type: str
    name: str
    actions: frozenset[str]

    def __str__(self) -> str:
        order = ["pull", "push", "delete", CATALOG]
        return f"{self.type}:{self.name}:{','.join(sorted(self.actions, key=order.index))}"


def repository_scope(name: str, *actions: Action) -> Scope:
    """*actions* in the repository *name*."""
    return Scope("repository", name, frozenset(action.value for action in actions))


CATALOG_SCOPE: Final = Scope("registry", "catalog", frozenset({CATALOG}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a registry knows its clients: users with passwords, tokens of its own or of another realm, or nothing.

    *realm* is the URL of the token service; without one, passwords are asked for. A *realm* that begins with
    a slash is our own service, at whatever address the client called us by.
    """

    rules: Rules
    users: Htpasswd | None = None
    verifier: Verifier | None = None
    realm: str = ""
    service: str = ""
    basic_realm: str = "havre registry"

    @property
    def is_open(self) -> bool:
        """Whether nobody needs credentials, since there are none."""
        return self.users is None and self.verifier is None

    async def identify(self, header: str, origin: str, scopes: tuple[Scope, ...] = ()) -> Caller:
        """Who sends the Authorization *header* (empty: anonymous). Raises Refusal (401) for wrong credentials."""
        scheme, _, value = header.strip().partition(" ")
        kind = scheme.lower()
        if self.is_open or not kind:
            return Caller()
        if kind == "bearer" and self.verifier is not None:
            try:
                claims = self.verifier.verify(value.strip())
            except BadToken as error:
                raise self.challenge(error.message, origin, scopes, error="invalid_token") from None
            return Caller(claims.subject, claims)
        if kind == "basic" and self.users is not None:
            user, password = parse_basic(value)
            if await self.users.check(user, password):
                return Caller(user)
        raise self.challenge("invalid credentials", origin, scopes)

    def check(self, caller: Caller, scopes: tuple[Scope, ...], origin: str) -> None:
        """Let *caller* do all of *scopes*. Raises Refusal: 401 where credentials could help, else 403."""
        if all(scope.actions <= self.allowed(caller, scope) for scope in scopes):
            return
        if caller.claims is not None or not caller.user:
            if self.is_open:
                raise Refusal(Code.DENIED, "this registry takes no pushes without credentials, and has no users")
            kind = "insufficient_scope" if caller.claims is not None else ""
            raise self.challenge("authentication required", origin, scopes, error=kind)
        raise Refusal(
            Code.DENIED, "requested access to the resource is denied", detail=[str(scope) for scope in scopes]
        )

    def allowed(self, caller: Caller, scope: Scope) -> frozenset[str]:
        """What of *scope* the caller may do: a token counts for what it says, a user for what the rules say."""
        if caller.claims is not None:
            grants = [g for g in caller.claims.grants if (g.type, g.name) == (scope.type, scope.name)]
            said = {action for grant in grants for action in grant.actions}
            return scope.actions if CATALOG in said else scope.actions & said
        if scope.type == "repository":
            return scope.actions & {action.value for action in self.rules.allowed(scope.name, caller.user)}
        if scope == CATALOG_SCOPE:
            return scope.actions if caller.user or self.is_open or self.rules.any_anonymous() else frozenset()
        return frozenset()

    def may_see(self, caller: Caller, name: str) -> bool:
        """Whether the repository *name* may be told to *caller* in a list."""
        if caller.claims is not None and not self.realm.startswith("/"):
            return True  # another realm granted the catalogue: what is in it is its affair
        return Action.PULL in self.rules.allowed(name, caller.user)

    def challenge(self, message: str, origin: str, scopes: tuple[Scope, ...] = (), *, error: str = "") -> Refusal:
        """The 401 that tells a client how to show who it is."""
        if self.realm:
            realm = f"{origin}{self.realm}" if self.realm.startswith("/") else self.realm
            parts = [f'realm="{realm}"', f'service="{self.service}"']
            if scopes:
                parts.append(f'scope="{" ".join(str(scope) for scope in scopes)}"')
            if error:
                parts.append(f'error="{error}"')
            value = f"Bearer {','.join(parts)}"
        else:
            value = f'Basic realm="{self.basic_realm}", charset="UTF-8"'
        detail = [{"Type": s.type, "Name": s.name, "Action": action} for s in scopes for action in sorted(s.actions)]
        return Refusal(Code.UNAUTHORIZED, message, headers={"WWW-Authenticate": value}, detail=detail or None)


def parse_basic(value: str) -> tuple[str, str]:
    """User and password of a Basic credential; both empty when it is none."""
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return (user, password) if colon else ("", "")


def parse_scope(text: str) -> Scope | None:
    """A scope as a client writes it; None for what is none, which grants nothing."""
    kind, _, rest = text.partition(":")
    name, _, actions = rest.rpartition(":")
    kind = kind.partition("(")[0]  # `repository(plugin):…` names a class that grants nothing more
    known = frozenset(actions.split(",")) & {*_ACTIONS, CATALOG}
    return Scope(kind, name, known) if kind and name else None
