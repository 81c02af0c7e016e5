"""`RUN --mount`, `--device`, `--network` and `--security`."""

from collections.abc import Callable
from typing import Any, Final

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.instructions import Device, Mount, MountKind, NetworkMode, SecurityMode, Sharing
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.suggest import did_you_mean
from havre.build.dockerfile.values import csv_fields, parse_bool, parse_number, parse_size

_MOUNT_KEYS: Final = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
]
_READ_ONLY: Final = frozenset({"readonly", "ro"})
_READ_WRITE: Final = frozenset({"readwrite", "rw"})
_HAS_OWNER: Final = frozenset({MountKind.SECRET, MountKind.SSH, MountKind.CACHE})
_MAY_BE_REQUIRED: Final = frozenset({MountKind.SECRET, MountKind.SSH})
_WRITABLE: Final = frozenset({MountKind.CACHE, MountKind.TMPFS})
_PLACES: Final = {
    "from": "origin",
    "source": "source",
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "id": "id",
    "env": "env",
}


def check_mount(flag: str) -> None:
    """Refuse what can be seen in *flag* before its variables have values. Raises DockerfileError."""
    for field in _mount_fields(flag):
        key, _, value = field.partition("=")
        place = value.find("$")
        if key.lower() == "from" and 0 <= place < len(value) - 1:
            raise DockerfileError(f"'{key.lower()}' doesn't support variable expansion, define alias stage instead")


def mount_origin(flag: str) -> str:
    """The name in `from=` of *flag*, which holds no variables; empty where there is none. Raises DockerfileError."""
    fields = (field.partition("=") for field in _mount_fields(flag))
    return next((value for key, _, value in reversed(list(fields)) if key.lower() == "from"), "")


def parse_mount(flag: str, expand: Callable[[str], str] = str) -> Mount:
    """The mount that *flag* asks for, each value passed through *expand*. Raises DockerfileError."""
    wish = _Wish()
    for field in _mount_fields(flag):
        wish.take(field, expand)
    return wish.mount()


def parse_device(flag: str) -> Device:
    """`NAME[,required[=bool]]`, `name=NAME`. Raises DockerfileError."""
    name, required = "", False
    try:
        fields = csv_fields(flag)
    except DockerfileError as error:
        raise DockerfileError(f"failed to parse csv devices: {error.reason}") from None
    for field in fields:
        key, equals, value = field.partition("=")
        if key.lower() == "required":
            required = _truth(key.lower(), value) if equals else True
        elif key.lower() == "name" and equals:
            if name:
                raise DockerfileError(f"device name already set to {name}")
            name = value
        elif not name:
            name = field
        elif equals:
            message = f"unexpected key '{key.lower()}' in '{field}'"
            raise DockerfileError(did_you_mean(message, key.lower(), ("name", "required")))
        else:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")
    return Device(name, required)


def parse_network(value: str) -> NetworkMode:
    """Raises DockerfileError."""
    if value not in set(NetworkMode):
        raise DockerfileError(f"invalid network mode {quoted(value)}")
    return NetworkMode(value)


def parse_security(value: str) -> SecurityMode:
    """Raises DockerfileError."""
    if value not in set(SecurityMode):
        raise DockerfileError(f"security {quoted(value)} is not valid")
    return SecurityMode(value)


def _mount_fields(flag: str) -> list[str]:
    try:
        return csv_fields(flag)
    except DockerfileError as error:
        raise DockerfileError(f"failed to parse csv mounts: {error.reason}") from None


class _Wish:
    """The fields of one `--mount`, taken in their order: what a key means may depend on the type before it."""

    def __init__(self) -> None:
        self._kind = MountKind.BIND
        self._read_only: bool | None = None
        self._given: dict[str, Any] = {}

    def take(self, field: str, expand: Callable[[str], str]) -> None:
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals:
            self._take_word(key, field)
            return
        value = expand(value)
        if key in _PLACES:
            self._given[_PLACES[key]] = value
        elif key in _READ_ONLY:
            self._read_only = _truth(key, value)
        elif key in _READ_WRITE:
            self._read_only = not _truth(key, value)
        elif key in _TAKERS:
            _TAKERS[key](self, value)
        else:
            raise DockerfileError(did_you_mean(f"unexpected key '{key}' in '{field}'", key, _MOUNT_KEYS))

    def mount(self) -> Mount:
        for name in ("mode", "uid", "gid"):
            if name in self._given and self._kind not in _HAS_OWNER:
                raise DockerfileError(f"{name} not allowed for {quoted(self._kind)} type mounts")
        if self._kind is MountKind.SECRET:
            self._check_secret()
        if "sharing" in self._given and self._kind is not MountKind.CACHE:
            raise DockerfileError(f"invalid cache sharing set for {self._kind} mount")
        read_only = self._kind not in _WRITABLE if self._read_only is None else self._read_only
        return Mount(kind=self._kind, read_only=read_only, **self._given)

    def _take_word(self, key: str, field: str) -> None:
        if key in _READ_ONLY | _READ_WRITE:
            self._read_only = key in _READ_ONLY
        elif key == "required":
            self.take_required("true")
        else:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")

    def take_type(self, value: str) -> None:
        if value.lower() not in set(MountKind):
            raise DockerfileError(did_you_mean(f"unsupported mount type {quoted(value)}", value, list(MountKind)))
        self._kind = MountKind(value.lower())

    def take_sharing(self, value: str) -> None:
        if value.lower() not in set(Sharing):
            raise DockerfileError(did_you_mean(f"unsupported sharing value {quoted(value)}", value, list(Sharing)))
        self._given["sharing"] = Sharing(value.lower())

    def take_required(self, value: str) -> None:
        self._only_for("required", _MAY_BE_REQUIRED)
        self._given["required"] = _truth("required", value)

    def take_size(self, value: str) -> None:
        self._only_for("size", frozenset({MountKind.TMPFS}))
        size = parse_size(value)
        if size is None:
            raise DockerfileError(f"invalid value for size: {value}")
        self._given["size_bytes"] = size

    def take_number(self, key: str, value: str) -> None:
        number = parse_number(value, 8 if key == "mode" else 10)
        if number is None:
            raise DockerfileError(f"invalid value {value} for {key}")
        self._given[key] = number

    def _only_for(self, key: str, kinds: frozenset[MountKind]) -> None:
        if self._kind not in kinds:
            raise DockerfileError(f"unexpected key '{key}' for mount type '{self._kind}'")

    def _check_secret(self) -> None:
        given = self._given
        if given.get("origin"):
            raise DockerfileError("secret mount should not have a from")
        if "sharing" in given:
            raise DockerfileError("secret mount should not define sharing")
        if not (given.get("source") or given.get("target") or given.get("id")):
            raise DockerfileError("invalid secret mount. one of source, target required")
        if given.get("source") and given.get("id"):
            raise DockerfileError("both source and id can't be set")


_TAKERS: Final[dict[str, Callable[[_Wish, str], None]]] = {
    "type": _Wish.take_type,
    "sharing": _Wish.take_sharing,
    "required": _Wish.take_required,
    "size": _Wish.take_size,
    "mode": lambda wish, value: wish.take_number("mode", value),
    "uid": lambda wish, value: wish.take_number("uid", value),
    "gid": lambda wish, value: wish.take_number("gid", value),
}


def _truth(key: str, value: str) -> bool:
    truth = parse_bool(value)
    if truth is None:
        raise DockerfileError(f"invalid value for {key}: {value}")
    return truth
