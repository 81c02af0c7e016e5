"""The attribute `deploy`: what of it means something on one host is used, the rest is read and kept."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.model import readers as read
from havre.compose.model.devices import DeviceRequest, requests
from havre.compose.model.values import NO_SIZE, NO_TIME, Duration, Size


class Discrete(Struct, frozen=True):
    """Some number of a kind of resource."""

    kind: str = ""
    value: float = 0
    extensions: Mapping[str, object] = field(default_factory=dict)


class GenericResource(Struct, frozen=True):
    """A resource that only its owner understands."""

    discrete_resource_spec: Discrete | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


class Limits(Struct, frozen=True):
    """The most that a container gets."""

    cpus: float = 0
    memory: Size = NO_SIZE
    pids: int = 0
    extensions: Mapping[str, object] = field(default_factory=dict)


class Reservations(Struct, frozen=True):
    """The least that a container gets."""

    cpus: float = 0
    memory: Size = NO_SIZE
    generic_resources: tuple[GenericResource, ...] = ()
    devices: tuple[DeviceRequest, ...] = ()
    extensions: Mapping[str, object] = field(default_factory=dict)


class Resources(Struct, frozen=True):
    """Limits and reservations."""

    limits: Limits | None = None
    reservations: Reservations | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


class UpdateConfig(Struct, frozen=True):
    """How a cluster replaces containers; on one host only the *order* and *parallelism* could mean something."""

    parallelism: int | None = None
    delay: Duration = NO_TIME
    failure_action: str = ""
    monitor: Duration = NO_TIME
    max_failure_ratio: float = 0
    order: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class RestartPolicy(Struct, frozen=True):
    """When a container is started again."""

    condition: str = ""
    delay: Duration | None = None
    max_attempts: int | None = None
    window: Duration | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


class Preference(Struct, frozen=True):
    """A cluster's wish to spread."""

    spread: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class Placement(Struct, frozen=True):
    """On which node of a cluster."""

    constraints: tuple[str, ...] = ()
    preferences: tuple[Preference, ...] = ()
    max_replicas_per_node: int = 0
    extensions: Mapping[str, object] = field(default_factory=dict)


class Deploy(Struct, frozen=True):
    """The attribute `deploy`."""

    mode: str = ""
    endpoint_mode: str = ""
    replicas: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    rollback_config: UpdateConfig | None = None
    update_config: UpdateConfig | None = None
    resources: Resources | None = None
    restart_policy: RestartPolicy | None = None
    placement: Placement | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


_update = read.record(
    UpdateConfig,
    {
        "parallelism": read.integer,
        "delay": read.duration,
        "failure_action": read.text,
        "monitor": read.duration,
        "max_failure_ratio": read.number,
        "order": read.one_of("start-first", "stop-first"),
    },
)
_limits = read.record(Limits, {"cpus": read.number, "memory": read.size, "pids": read.integer})
_generic = read.record(
    GenericResource,
    {"discrete_resource_spec": read.record(Discrete, {"kind": read.text, "value": read.number})},
)
_reservations = read.record(
    Reservations,
    {
        "cpus": read.number,
        "memory": read.size,
        "generic_resources": read.tuple_of(_generic),
        "devices": requests,
    },
)
_placement = read.record(
    Placement,
    {
        "constraints": read.tuple_of(read.text),
        "preferences": read.tuple_of(read.record(Preference, {"spread": read.text})),
        "max_replicas_per_node": read.integer,
    },
)
deploy = read.record(
    Deploy,
    {
        "mode": read.one_of("replicated", "global", "replicated-job", "global-job"),
        "endpoint_mode": read.text,
        "replicas": read.integer,
        "labels": read.texts_by_key,
        "rollback_config": _update,
        "update_config": _update,
        "resources": read.record(Resources, {"limits": _limits, "reservations": _reservations}),
        "restart_policy": read.record(
            RestartPolicy,
            {
                "condition": read.one_of("none", "on-failure", "any", "always", "unless-stopped"),
                "delay": read.duration,
                "max_attempts": read.integer,
                "window": read.duration,
            },
        ),
        "placement": _placement,
    },
)
