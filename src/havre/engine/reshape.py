"""Changing what a container is made of: environment, labels, mounts, published ports. Pure, but for the volumes.

The container keeps its id, its name and its writable layer; what it is started with the next time is another record.
"""

import posixpath
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from havre.base.errors import InvalidInput
from havre.engine.model import Record, ResolvedMount
from havre.engine.mount_wishes import PathExists, resolve_mounts
from havre.engine.settings import Config, HostConfig, PortBinding
from havre.engine.validate import check_env
from havre.oci.image_config import Empty
from havre.wire.containers import UpdateContainer

_FIELDS: Final = ("Env", "Labels", "PortBindings", "Binds", "Mounts", "RemovedMounts")


_Ports = Mapping[str, list[PortBinding] | None]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise.

    *env* takes the place of variables of the same name; one without `=` goes. A label without a value goes, a port
    without bindings is no longer published. *host* has the mounts that are added or replace those at their places.
    """

    env: tuple[str, ...] = ()
    labels: dict[str, str | None] = {}
    removed_mounts: frozenset[str] = frozenset()
    host: HostConfig = HostConfig()

    @property
    def live(self) -> bool:
        """Whether a container that runs can have it without being started again."""
        return not (self.env or self.removed_mounts or self.host.port_bindings or self.host.binds or self.host.mounts)


def parse_shape(wanted: UpdateContainer, host: HostConfig) -> Shape | None:
    """What *wanted* says of it; *host* is the same as settings. None when it says nothing. Raises InvalidInput."""
    if not any(wanted.get(field) for field in _FIELDS):
        return None
    env = tuple(wanted.get("Env") or ())
    check_env(env)
    return Shape(
        env=env,
        labels={**(wanted.get("Labels") or {})},
        removed_mounts=frozenset(posixpath.normpath(path) for path in wanted.get("RemovedMounts") or ()),
        host=replace(HostConfig(), binds=host.binds, mounts=host.mounts, port_bindings=host.port_bindings),
    )


def reshaped(record: Record, shape: Shape, exists: PathExists) -> Record:
    """*record* as *shape* wants it; mounts that are new name no volume yet. Raises InvalidInput."""
    added = resolve_mounts(Config(), shape.host, exists)
    there = {mount.destination for mount in record.mounts}
    if unknown := shape.removed_mounts - there:
        raise InvalidInput(f"nothing is mounted at {min(unknown)[:256]}")
    published = {_full(port) for port in record.host.port_bindings}
    if absent := {_full(port) for port, given in shape.host.port_bindings.items() if not given} - published:
        raise InvalidInput(f"no port {min(absent)[:64]} is published by a binding of its own")
    covered = shape.removed_mounts | {mount.destination for mount in added}
    kept = [mount for mount in record.mounts if mount.destination not in covered]
    return replace(
        record,
        config=_config(record.config, shape, covered),
        host=_host(record.host, shape, covered),
        mounts=(*kept, *added),
    )


def new_mounts(before: Record, after: Record) -> list[ResolvedMount]:
    """Those that only *after* has."""
    return [mount for mount in after.mounts if mount not in before.mounts]


def _config(config: Config, shape: Shape, covered: frozenset[str]) -> Config:
    labels = {name: value for name, value in {**config.labels, **shape.labels}.items() if value is not None}
    exposed = {**config.exposed_ports, **{port: Empty() for port, given in shape.host.port_bindings.items() if given}}
    volumes = {path: one for path, one in (config.volumes or {}).items() if posixpath.normpath(path) not in covered}
    return replace(
        config,
        env=_env(config.env or [], shape.env) if shape.env else config.env,
        labels=labels,
        exposed_ports=exposed,
        volumes=volumes or None,
    )


def _env(before: list[str], wanted: tuple[str, ...]) -> list[str]:
    names = {entry.partition("=")[0] for entry in wanted}
    kept = [entry for entry in before if entry.partition("=")[0] not in names]
    return [*kept, *(entry for entry in wanted if "=" in entry)]


def _host(host: HostConfig, shape: Shape, covered: frozenset[str]) -> HostConfig:
    binds = [text for text in host.binds or () if _destination_of(text) not in covered]
    mounts = [wish for wish in host.mounts or () if posixpath.normpath(wish.target) not in covered]
    tmpfs = {path: options for path, options in (host.tmpfs or {}).items() if posixpath.normpath(path) not in covered}
    return replace(
        host,
        binds=[*binds, *(shape.host.binds or ())] or None,
        mounts=[*mounts, *(shape.host.mounts or ())] or None,
        tmpfs=tmpfs or None,
        port_bindings=_ports(host.port_bindings, shape.host.port_bindings),
    )


def _ports(before: _Ports, wanted: _Ports) -> dict[str, list[PortBinding] | None]:
    whole = {_full(port): given for port, given in (*before.items(), *wanted.items())}
    return {port: given for port, given in whole.items() if given}


def _full(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"


def _destination_of(text: str) -> str:
    parts = text.split(":", 2)
    return posixpath.normpath(parts[1] if len(parts) > 1 else parts[0])
