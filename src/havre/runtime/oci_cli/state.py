"""`state` and `list`: what is known of containers: the JSON of the runtime-spec with runc's additions, or a table."""

import msgspec

from havre.base.clock import rfc3339
from havre.oci.runtime_spec import VERSION
from havre.runtime.oci_cli.arguments import Given, Option, UsageError
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.store import Container

HELP = "output the state of a container"
WORDS = "CONTAINER"
OPTIONS: tuple[Option, ...] = ()


class State(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What `state` says."""

    oci_version: str
    id: str
    pid: int
    status: str
    bundle: str
    rootfs: str
    created: str
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    owner: str


def run(given: Given, context: Context) -> int:
    """The verb."""
    (container_id,) = given.rest
    print(pretty(state_of(context.store.get(container_id), context)))  # noqa: T201
    return 0


def state_of(container: Container, context: Context) -> State:
    """The present state; a stopped container has pid 0."""
    record, annotations = container.record, container.spec().annotations
    status = container.status(context.cgroups)
    return State(
        oci_version=VERSION,
        id=record.id,
        pid=0 if status == "stopped" else record.pid,
        status=status,
        bundle=record.bundle,
        rootfs=record.rootfs,
        created=rfc3339(record.created_ns),
        annotations=annotations or msgspec.UNSET,
        owner=record.owner,
    )


def pretty(value: msgspec.Struct) -> str:
    """Indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def run_list(given: Given, context: Context) -> int:
    """The verb `list`."""
    if given.rest:
        raise UsageError('"list" takes no arguments')
    states = [state_of(container, context) for container in context.store.every()]
    if given.has("quiet"):
        text = "\n".join(state.id for state in states)
    elif given.one("format", "table") == "json":
        text = msgspec.json.encode(states).decode()
    elif given.one("format", "table") == "table":
        text = _table(states)
    else:
        raise UsageError(f"invalid format option: {given.one('format')}")
    if text:
        print(text)  # noqa: T201
    return 0


def _table(states: list[State]) -> str:
    rows = [("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")]
    rows += [(s.id, str(s.pid), s.status, s.bundle, s.created, s.owner) for s in states]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "   ".join(f"{word:{width}}" for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
