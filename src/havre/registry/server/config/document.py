"""The configuration file: the keys of Docker's registry (its `config.yml`), and a few of ours; unknown keys are errors.

Keys that have no meaning here are accepted and change nothing: `health`, `redis`, `reporting`, `validation`,
`storage.cache`, `storage.redirect`, `http.secret`, `http.http2`, `http.draintimeout`, `log.fields`, `log.formatter`.
"""

from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import yaml

from havre.base.errors import InvalidInput

_LIMIT_BYTES: Final = 1 << 20
Ignored: TypeAlias = object
Duration: TypeAlias = str | int


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    pass


class AccessLog(_Strict, frozen=True):
    """`log.accesslog`."""

    disabled: bool = False


class Log(_Strict, frozen=True):
    """`log`."""

    level: str = "info"
    formatter: Ignored = None
    fields: Ignored = None
    accesslog: AccessLog = AccessLog()


class Filesystem(_Strict, frozen=True):
    """`storage.filesystem`."""

    rootdirectory: str = ""
    maxthreads: Ignored = None


class Switch(_Strict, frozen=True):
    """Something that is on or off."""

    enabled: bool = True


class UploadPurging(_Strict, frozen=True):
    """`storage.maintenance.uploadpurging`: uploads that nobody goes on with."""

    enabled: bool = True
    age: Duration = "168h"
    interval: Duration = "24h"
    dryrun: bool = False


class GarbageCollection(_Strict, frozen=True):
    """`storage.maintenance.garbagecollection`: how long a push may be silent, and when the untagged go."""

    enabled: bool = True
    interval: Duration = "10m"
    grace: Duration = "1h"
    untagged: Duration = ""


class Scrubbing(_Strict, frozen=True):
    """`storage.maintenance.scrubbing`: how often all blobs are read and verified, and how fast (bytes a second)."""

    enabled: bool = True
    interval: Duration = "168h"
    rate: int = 50_000_000


class ReadOnly(_Strict, frozen=True):
    """`storage.maintenance.readonly`."""

    enabled: bool = False


class Maintenance(_Strict, frozen=True):
    """`storage.maintenance`."""

    uploadpurging: UploadPurging = UploadPurging()
    garbagecollection: GarbageCollection = GarbageCollection()
    scrubbing: Scrubbing = Scrubbing()
    readonly: ReadOnly = ReadOnly()


class Storage(_Strict, frozen=True):
    """`storage`; *maxblobsize* is in bytes."""

    filesystem: Filesystem = Filesystem()
    delete: Switch = Switch()
    cache: Ignored = None
    redirect: Ignored = None
    tag: Ignored = None
    maintenance: Maintenance = Maintenance()
    maxblobsize: int = 1 << 40


class Tls(_Strict, frozen=True):
    """`http.tls`."""

    certificate: str = ""
    key: str = ""
    clientcas: list[str] = []
    minimumtls: str = "tls1.2"
    ciphersuites: Ignored = None


class Http(_Strict, frozen=True):
    """`http`; *host* is the URL by which clients reach the registry."""

    addr: str = ""
    host: str = ""
    relativeurls: Ignored = None
    prefix: Ignored = None
    secret: Ignored = None
    http2: Ignored = None
    draintimeout: Ignored = None
    debug: Ignored = None
    tls: Tls = Tls()
    headers: dict[str, list[str]] = {}


class HtpasswdAuth(_Strict, frozen=True):
    """`auth.htpasswd`."""

    path: str
    realm: str = "havre registry"


class TokenAuth(_Strict, frozen=True):
    """`auth.token`: tokens of another realm."""

    realm: str
    service: str
    issuer: str
    rootcertbundle: str = ""
    jwks: str = ""
    autoredirect: Ignored = None
    signingalgorithms: Ignored = None


class TokenServiceAuth(_Strict, frozen=True):
    """`auth.tokenservice`: the built-in token service, over the users of `auth.htpasswd`."""

    enabled: bool = True
    service: str = "havre-registry"
    expiration: Duration = "5m"


class Auth(_Strict, frozen=True):
    """`auth`."""

    htpasswd: HtpasswdAuth | None = None
    token: TokenAuth | None = None
    tokenservice: TokenServiceAuth | None = None


class AccessRule(_Strict, frozen=True):
    """One of `access`: who may do what where. The first rule that fits a repository's name counts."""

    repositories: str
    anonymous: list[str] = []
    users: dict[str, list[str]] = {}


class Endpoint(_Strict, frozen=True):
    """One of `notifications.endpoints`."""

    url: str
    name: str = ""
    disabled: bool = False
    headers: dict[str, list[str]] = {}
    timeout: Duration = "5s"
    threshold: int = 5
    backoff: Duration = "10s"
    queue: int = 10_000
    ignoredmediatypes: list[str] = []
    ignore: dict[str, list[str]] = {}


class Notifications(_Strict, frozen=True):
    """`notifications`."""

    endpoints: list[Endpoint] = []
    events: Ignored = None


class Proxy(_Strict, frozen=True):
    """`proxy`: the registry that this one is a cache of."""

    remoteurl: str
    username: str = ""
    password: str = ""
    ttl: Duration = "168h"


class Document(_Strict, frozen=True):
    """The whole file."""

    version: str | float = "0.1"
    log: Log = Log()
    storage: Storage = Storage()
    http: Http = Http()
    auth: Auth = Auth()
    access: list[AccessRule] = []
    notifications: Notifications = Notifications()
    proxy: Proxy | None = None
    health: Ignored = None
    redis: Ignored = None
    reporting: Ignored = None
    validation: Ignored = None


def read_document(path: Path) -> Document:
    """The file at *path*. Raises InvalidInput."""
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"configuration {path}: {error.strerror}") from error
    if len(data) > _LIMIT_BYTES:
        raise InvalidInput(f"configuration {path}: it is larger than {_LIMIT_BYTES} bytes")
    try:
        return parse_document(data)
    except InvalidInput as error:
        raise InvalidInput(f"configuration {path}: {error.message}") from None


def parse_document(data: bytes) -> Document:
    """The configuration that *data* is. Raises InvalidInput."""
    try:
        found = yaml.safe_load(data)
        return msgspec.convert({} if found is None else _without_nulls(found), Document)
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(str(error)) from None


def _without_nulls(value: object) -> object:
    """*value* where a key without a value says nothing, as an empty section in YAML does."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value
