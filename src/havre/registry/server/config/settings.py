"""What a registry runs with: the configuration file and the flags, checked and made into values."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.registry.server.auth.access import MEMBERS, OPEN, Action, Rule, Rules
from havre.registry.server.config.document import Auth, Document, Endpoint, Proxy, Tls
from havre.registry.server.config.durations import parse_duration

DEFAULT_ADDRESS: Final = "127.0.0.1:5000"
DEFAULT_ROOT: Final = Path("/var/lib/havre/registry")
_LEVELS: Final = {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}
_ACTIONS: Final = {action.value: frozenset({action}) for action in Action} | {"*": frozenset(Action)}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens; an empty host is every address."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Times:
    """How often the registry cleans and looks after itself, and what is old enough; in seconds, None for never."""

    collect_every: float | None
    grace: float
    untagged_after: float | None
    purge_every: float | None
    upload_age: float
    scrub_every: float | None
    scrub_rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `serve` needs to know."""

    root: Path
    address: Address
    log_level: str
    access_log: bool
    rules: Rules
    auth: Auth
    tls: Tls
    times: Times
    read_only: bool
    deletions: bool
    public_url: str
    headers: Mapping[str, str]
    max_blob_bytes: int
    webhooks: Sequence[Endpoint]
    proxy: Proxy | None


def settings_of(document: Document, *, open_to_all: bool = False, public: Sequence[str] = ()) -> Settings:
    """The settings that *document* makes. Raises InvalidInput for what cannot be, or would be dangerous.

    *open_to_all* lets everybody push though the address is not loopback; *public* are patterns of repositories
    that everybody may pull.
    """
    address = parse_address(document.http.addr or DEFAULT_ADDRESS)
    _check_auth(document.auth)
    rules = _rules(document, public)
    read_only = document.storage.maintenance.readonly.enabled
    secured = document.auth.htpasswd is not None or document.auth.token is not None
    taking = not read_only and document.proxy is None
    if taking and rules.anonymous_push() and not (address.is_loopback or open_to_all):
        raise InvalidInput(
            f"everybody who reaches {address} could push: give users (--htpasswd), or --read-only, or "
            "--allow-anonymous-push if that is what you want"
        )
    if document.access and not secured and any(rule.users for rule in document.access):
        raise InvalidInput("access names users, but there is no auth.htpasswd and no auth.token to know them by")
    if bool(document.http.tls.certificate) != bool(document.http.tls.key):
        raise InvalidInput("TLS takes both a certificate and a key")
    return Settings(
        root=Path(document.storage.filesystem.rootdirectory or DEFAULT_ROOT),
        address=address,
        log_level=_level(document.log.level),
        access_log=not document.log.accesslog.disabled,
        rules=rules,
        auth=document.auth,
        tls=document.http.tls,
        times=_times(document),
        read_only=read_only,
        deletions=document.storage.delete.enabled,
        public_url=document.http.host.rstrip("/"),
        headers=_headers(document.http.headers),
        max_blob_bytes=document.storage.maxblobsize,
        webhooks=[endpoint for endpoint in document.notifications.endpoints if not endpoint.disabled],
        proxy=_checked_proxy(document.proxy),
    )


def parse_address(text: str) -> Address:
    """`host:port`, `:port` or `[v6]:port`. Raises InvalidInput."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise InvalidInput(f"invalid address: {text[:128]!r} has no port")
    return Address(host.removeprefix("[").removesuffix("]"), parse_int(port, what="port", high=65535))


def _check_auth(auth: Auth) -> None:
    if auth.htpasswd is not None and auth.token is not None:
        raise InvalidInput("auth takes htpasswd or token, not both")
    if auth.tokenservice is not None and auth.tokenservice.enabled and auth.htpasswd is None:
        raise InvalidInput("auth.tokenservice needs the users of auth.htpasswd")
    if auth.token is not None and not (auth.token.rootcertbundle or auth.token.jwks):
        raise InvalidInput("auth.token needs rootcertbundle or jwks: whose signatures count?")


def _rules(document: Document, public: Sequence[str]) -> Rules:
    secured = document.auth.htpasswd is not None or document.auth.token is not None
    rules = [
        Rule(
            access.repositories,
            _actions(access.anonymous),
            {user: _actions(words) for user, words in access.users.items()},
        )
        for access in document.access
    ]
    everybody = {"*": frozenset(Action)} if secured else {}
    rules = [Rule(pattern, frozenset({Action.PULL}), everybody) for pattern in public] + rules
    if not document.access:
        rules += MEMBERS.rules if secured else OPEN.rules
    return Rules(rules)


def _actions(words: Sequence[str]) -> frozenset[Action]:
    unknown = [word for word in words if word not in _ACTIONS]
    if unknown:
        raise InvalidInput(f"access: unknown action {unknown[0][:64]!r}: pull, push, delete or * is wanted")
    return frozenset(action for word in words for action in _ACTIONS[word])


def _times(document: Document) -> Times:
    maintenance = document.storage.maintenance
    collection, purging, scrubbing = maintenance.garbagecollection, maintenance.uploadpurging, maintenance.scrubbing
    return Times(
        collect_every=parse_duration(collection.interval, "interval") if collection.enabled else None,
        grace=parse_duration(collection.grace, "grace"),
        untagged_after=parse_duration(collection.untagged, "untagged") if collection.untagged else None,
        purge_every=parse_duration(purging.interval, "interval") if purging.enabled and not purging.dryrun else None,
        upload_age=parse_duration(purging.age, "age"),
        scrub_every=parse_duration(scrubbing.interval, "interval") if scrubbing.enabled else None,
        scrub_rate=max(1, scrubbing.rate),
    )


def _headers(given: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found = {name: ", ".join(values) for name, values in given.items()}
    if any(not letter.isprintable() for text in (*found, *found.values()) for letter in text):
        raise InvalidInput("http.headers: control characters")
    return found


def _level(text: str) -> str:
    if text not in _LEVELS:
        raise InvalidInput(f"invalid log level: {text[:64]!r}")
    return _LEVELS[text]


def _checked_proxy(proxy: Proxy | None) -> Proxy | None:
    if proxy is not None:
        url = urlsplit(proxy.remoteurl)
        if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/"):
            raise InvalidInput(f"proxy.remoteurl: {proxy.remoteurl[:160]!r} is no URL of a registry")
        parse_duration(proxy.ttl, "ttl")
    return proxy
