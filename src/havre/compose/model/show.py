"""Values of the model as plain ones again: for `config`, and for the hash of a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from havre.compose.model.defaults import defaults
from havre.compose.model.limits import Ulimit
from havre.compose.model.parts import Dependency
from havre.compose.model.ports import Port
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.model.values import Duration, Mode, Size

_ALWAYS: Final[Mapping[type, frozenset[str]]] = {
    Dependency: frozenset({"condition", "required"}),
    Port: frozenset({"mode", "target", "protocol"}),
    Service: frozenset({"command", "entrypoint"}),
}
_NEVER: Final[Mapping[type, frozenset[str]]] = {Service: frozenset({"name"})}
_SECTIONS = ("networks", "volumes", "secrets", "configs", "models")


def shown_project(project: Project) -> dict[str, object]:
    """What `config` prints: the application with everything spelled out, names in order."""
    made: dict[str, object] = {"name": project.name}
    made["services"] = {name: shown_service(project.services[name]) for name in sorted(project.services)}
    for section in _SECTIONS:
        entries: Mapping[str, object] = getattr(project, section)
        if entries:
            made[section] = {key: shown(entries[key]) for key in sorted(entries)}
    made.update({key: shown(value) for key, value in project.extensions.items()})
    return made


def shown_service(service: Service) -> dict[str, object]:
    """One service."""
    made = _record(service)
    if service.healthcheck is not None:
        made["healthcheck"] = shown(service.healthcheck)
    return made


def shown(value: object) -> object:
    """Dataclasses as mappings of what was given, tuples as lists, durations and sizes as their texts."""
    if isinstance(value, Ulimit) and value.single:
        return value.soft
    if isinstance(value, Struct):
        return _record(value)
    match value:
        case Duration() | Size() | Mode():
            return str(value)
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {str(key): shown(one) for key, one in value.items()}
        case tuple() | list():
            return [shown(one) for one in value]
        case _:
            return value


def _record(value: Struct) -> dict[str, object]:
    kind = type(value)
    always, never = _ALWAYS.get(kind, frozenset()), _NEVER.get(kind, frozenset())
    made: dict[str, object] = {}
    for name, default in defaults(kind).items():
        held = getattr(value, name)
        if name != "extensions" and name not in never and (held != default or name in always):
            made[name] = _hosts(held) if name == "extra_hosts" else shown(held)
    extensions: Mapping[str, object] = getattr(value, "extensions", {})
    return {**made, **extensions}


def _hosts(given: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{name}={address}" for name, addresses in given.items() for address in addresses]
