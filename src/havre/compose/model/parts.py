"""The smaller mappings of a service: dependencies, health, networks, logging, hooks, watch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from havre.compose.document.nodes import Items, Node, Path, Scalar, Table, fault
from havre.compose.model import readers as read
from havre.compose.model.values import Duration

STARTED: Final = "service_started"
HEALTHY: Final = "service_healthy"
COMPLETED: Final = "service_completed_successfully"


class Dependency(Struct, frozen=True):
    """What must be true of another service before this one starts."""

    condition: str = STARTED
    restart: bool = False
    required: bool = True
    extensions: Mapping[str, object] = field(default_factory=dict)


class Healthcheck(Struct, frozen=True):
    """How health is probed; what is not given comes from the image."""

    test: tuple[str, ...] = ()
    interval: Duration | None = None
    timeout: Duration | None = None
    retries: int | None = None
    start_period: Duration | None = None
    start_interval: Duration | None = None
    disable: bool = False
    extensions: Mapping[str, object] = field(default_factory=dict)


class Attachment(Struct, frozen=True):
    """How a service is on one network."""

    aliases: tuple[str, ...] = ()
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    gw_priority: int = 0
    extensions: Mapping[str, object] = field(default_factory=dict)


class EnvFile(Struct, frozen=True):
    """A file of variables."""

    path: str
    required: bool = True
    format: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class Logging(Struct, frozen=True):
    """Where the output goes."""

    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


class Hook(Struct, frozen=True):
    """A command that runs in the container after its start or before its end."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


class Trigger(Struct, frozen=True):
    """What happens when files under *path* change."""

    path: str
    action: str
    target: str = ""
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exec: Hook | None = None
    initial_sync: bool = False
    extensions: Mapping[str, object] = field(default_factory=dict)


class Develop(Struct, frozen=True):
    """The attribute `develop`."""

    watch: tuple[Trigger, ...] = ()
    extensions: Mapping[str, object] = field(default_factory=dict)


class CredentialSpec(Struct, frozen=True):
    """A Windows credential; read and refused when a container is made."""

    config: str = ""
    file: str = ""
    registry: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class Extends(Struct, frozen=True):
    """The service that this one was built on."""

    service: str
    file: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


def command(node: Node, path: Path) -> tuple[str, ...] | None:
    """A list of words, or one text split as a shell would; None keeps the image's."""
    if isinstance(node, Items):
        return read.tuple_of(read.anything)(node, path)
    if isinstance(node, Scalar) and node.value is None:
        return None
    try:
        return tuple(shlex.split(read.word(node, path)))
    except ValueError as error:
        raise fault(node, path, f"cannot be split into words: {error}") from None


def _test(node: Node, path: Path) -> tuple[str, ...]:
    if not isinstance(node, Items):
        return ("CMD-SHELL", read.text(node, path))
    test = read.tuple_of(read.word)(node, path)
    if not test or test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise fault(node, path, "must begin with NONE, CMD or CMD-SHELL")
    return test


def depends_on(node: Node, path: Path) -> Mapping[str, Dependency]:
    """A list of services, or a mapping to conditions."""
    if isinstance(node, Items):
        return read.named(lambda _, __: Dependency())(node, path)
    return read.mapping_of(_dependency)(node, path)


def _driver_opts(node: Node, path: Path) -> Mapping[str, str]:
    return read.mapping_of(read.word)(node, path)


def env_files(node: Node, path: Path) -> tuple[EnvFile, ...]:
    """One file, or a list of them."""
    return read.one_or_many(_env_file)(node, path)


def _env_file(node: Node, path: Path) -> EnvFile:
    return _long_env_file(node, path) if isinstance(node, Table) else EnvFile(read.text(node, path))


def extends(node: Node, path: Path) -> Extends:
    """A service of the same file, or of another."""
    return _long_extends(node, path) if isinstance(node, Table) else Extends(read.text(node, path))


_dependency = read.record(
    Dependency,
    {
        "condition": read.one_of(STARTED, HEALTHY, COMPLETED),
        "restart": read.boolean,
        "required": read.boolean,
    },
)
healthcheck = read.record(
    Healthcheck,
    {
        "test": _test,
        "interval": read.duration,
        "timeout": read.duration,
        "retries": read.integer,
        "start_period": read.duration,
        "start_interval": read.duration,
        "disable": read.boolean,
    },
)
_attachment = read.record(
    Attachment,
    {
        "aliases": read.tuple_of(read.text),
        "interface_name": read.text,
        "ipv4_address": read.text,
        "ipv6_address": read.text,
        "link_local_ips": read.tuple_of(read.text),
        "mac_address": read.text,
        "driver_opts": _driver_opts,
        "priority": read.integer,
        "gw_priority": read.integer,
    },
)
networks = read.named(read.maybe(_attachment))
_long_env_file = read.record(
    EnvFile, {"path": read.text, "required": read.boolean, "format": read.one_of("raw", "")}, "path"
)
logging = read.record(Logging, {"driver": read.text, "options": read.mapping_of(read.anything)})
_hook = read.record(
    lambda **given: Hook(**{**given, "command": given["command"] or ()}),
    {
        "command": command,
        "user": read.text,
        "privileged": read.boolean,
        "working_dir": read.text,
        "environment": read.key_values,
    },
    "command",
)
hooks = read.tuple_of(_hook)
develop = read.record(
    Develop,
    {
        "watch": read.tuple_of(
            read.record(
                Trigger,
                {
                    "path": read.text,
                    "action": read.one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
                    "target": read.text,
                    "ignore": read.one_or_many(read.text),
                    "include": read.one_or_many(read.text),
                    "exec": _hook,
                    "initial_sync": read.boolean,
                },
                "path",
                "action",
            )
        )
    },
)
credential_spec = read.record(CredentialSpec, {"config": read.text, "file": read.text, "registry": read.text})
_long_extends = read.record(Extends, {"service": read.text, "file": read.text}, "service")
