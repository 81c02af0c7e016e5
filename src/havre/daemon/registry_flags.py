"""The flags of the registry program, laid over its configuration file."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from havre.base.errors import InvalidInput
from havre.registry.server.config.document import Document, HtpasswdAuth, Proxy, TokenServiceAuth, read_document
from havre.registry.server.config.settings import Settings, settings_of

_VALUES: Final = ("config", "addr", "root", "htpasswd", "tls-cert", "tls-key", "proxy", "log-level")
_SWITCHES: Final = ("token-service", "read-only", "allow-anonymous-push", "no-access-log")
FLAGS: Final = frozenset((*_VALUES, *_SWITCHES, "public"))


@dataclass(frozen=True, slots=True)
class Given:
    """What a command line said: texts (empty when absent), switches, and patterns of public repositories."""

    texts: dict[str, str]
    switches: dict[str, bool]
    public: tuple[str, ...]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse as the rest of Havre does."""
        raise InvalidInput(message)


def load(words: Sequence[str]) -> Settings:
    """The settings that the command line *words* and its configuration file make. Raises InvalidInput."""
    given = parse(words)
    document = read_document(Path(given.texts["config"])) if given.texts["config"] else Document()
    return settings_of(
        overlaid(document, given), open_to_all=given.switches["allow-anonymous-push"], public=given.public
    )


def parse(words: Sequence[str]) -> Given:
    """Read *words*. Raises InvalidInput."""
    parser = _Parser(prog="havre registry serve", add_help=False, allow_abbrev=False)
    for name in _VALUES:
        parser.add_argument(f"--{name}", default="")
    for name in _SWITCHES:
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--public", action="append", default=[])
    found: dict[str, object] = {key.replace("_", "-"): value for key, value in vars(parser.parse_args(words)).items()}
    public = found["public"]
    return Given(
        {name: str(found[name]) for name in _VALUES},
        {name: bool(found[name]) for name in _SWITCHES},
        tuple(map(str, public)) if isinstance(public, list) else (),
    )


def overlaid(document: Document, given: Given) -> Document:
    """*document* where a flag that was given counts for more than the file."""
    replace, texts = msgspec.structs.replace, given.texts
    http, storage, auth, log = document.http, document.storage, document.auth, document.log
    if texts["addr"]:
        http = replace(http, addr=texts["addr"])
    if texts["tls-cert"] or texts["tls-key"]:
        http = replace(http, tls=replace(http.tls, certificate=texts["tls-cert"], key=texts["tls-key"]))
    if texts["root"]:
        storage = replace(storage, filesystem=replace(storage.filesystem, rootdirectory=texts["root"]))
    if given.switches["read-only"]:
        read_only = replace(storage.maintenance.readonly, enabled=True)
        storage = replace(storage, maintenance=replace(storage.maintenance, readonly=read_only))
    if texts["htpasswd"]:
        auth = replace(auth, htpasswd=HtpasswdAuth(path=texts["htpasswd"]))
    if given.switches["token-service"] and auth.tokenservice is None:
        auth = replace(auth, tokenservice=TokenServiceAuth())
    if texts["log-level"]:
        log = replace(log, level=texts["log-level"])
    if given.switches["no-access-log"]:
        log = replace(log, accesslog=replace(log.accesslog, disabled=True))
    proxy = Proxy(remoteurl=texts["proxy"]) if texts["proxy"] else document.proxy
    return replace(document, http=http, storage=storage, auth=auth, log=log, proxy=proxy)
