"""Further sockets with a role (`api-sockets`, `--api-socket`): who may do what where."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from havre.base.errors import InvalidInput
from havre.daemon.config_file import FileValue
from havre.daemon.values import parse_pair

ROLES: Final = ("read", "run", "admin")
_KEYS: Final = frozenset(("path", "role", "group", "label"))


@dataclass(frozen=True, slots=True)
class Door:
    """A unix socket at *path* for the members of *group*; with *label*, only containers that bear it are there."""

    path: Path
    role: str
    group: str = ""
    label: tuple[str, str] | None = None


def parse_doors(value: FileValue) -> tuple[Door, ...]:
    """`path=/run/x.sock,role=read[,group=g][,label=a=b]` each, or the objects of daemon.json. Raises InvalidInput."""
    return tuple(map(_parse, value)) if isinstance(value, list) else ()


def _parse(value: FileValue) -> Door:
    if isinstance(value, dict):
        fields: Mapping[str, object] = value
    else:
        fields = dict(parse_pair(part, "api-socket") for part in str(value).split(","))
    if unknown := sorted(fields.keys() - _KEYS):
        raise InvalidInput(f"invalid api-socket: unknown key {unknown[0][:64]!r}")
    if not all(isinstance(given, str) and "\0" not in given for given in fields.values()):
        raise InvalidInput("invalid api-socket: every value is a text")
    path, role = Path(str(fields.get("path") or "")), str(fields.get("role") or "read")
    if not path.is_absolute():
        raise InvalidInput(f"invalid api-socket: {str(path)[:128]!r} is no absolute path")
    if role not in ROLES:
        raise InvalidInput(f"invalid api-socket: role {role[:64]!r} is none of {', '.join(ROLES)}")
    label = str(fields.get("label") or "")
    return Door(path, role, str(fields.get("group") or ""), parse_pair(label, "label") if label else None)
