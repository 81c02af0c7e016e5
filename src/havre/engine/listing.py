"""The rows of `docker ps`: encoded once for each change of a record; only image name and status are put in anew."""

import msgspec

from havre.base import clock
from havre.base.errors import HavreError
from havre.base.tasks import in_thread
from havre.engine.matching import Lookups, matcher, wants_all
from havre.engine.model import Record
from havre.engine.parts import Parts
from havre.engine.roster import Container, Row
from havre.engine.shown import mount_points, networks_of, ports_of
from havre.engine.status_text import status_text
from havre.images.model import Image
from havre.wire.containers import ContainerSummary
from havre.wire.filters import Filters

_encode = msgspec.json.Encoder().encode
_NS = 1_000_000_000


async def list_encoded(parts: Parts, *, every: bool, limit: int, size: bool, filters: Filters) -> bytes:
    """The rows as one JSON array, the newest first. Raises InvalidInput, NoSuchContainer."""
    chosen = choose(parts, every=every, limit=limit, filters=filters)
    sizes = await _sizes(parts, chosen) if size else [b""] * len(chosen)
    now_ns = clock.now_ns()
    rows = (_joined(parts, one, now_ns, more) for one, more in zip(chosen, sizes, strict=True))
    return b"[" + b",".join(rows) + b"]"


def choose(parts: Parts, *, every: bool, limit: int, filters: Filters) -> list[Container]:
    """The containers that are asked for; *limit* above 0 is the number of the newest."""
    lookups = Lookups(
        created_ns=lambda ref: parts.roster.get(ref).record.created_ns,
        descends=lambda image_id, name: _descends(parts, image_id, name),
    )
    wanted = matcher(filters, lookups)
    every = every or limit > 0 or wants_all(filters)
    newest_first = sorted(parts.roster, key=lambda one: -one.record.created_ns)
    chosen = [one for one in newest_first if (every or one.record.alive) and wanted(one.record)]
    return chosen[:limit] if limit > 0 else chosen


def summary(parts: Parts, container: Container) -> ContainerSummary:
    """One row as a value."""
    row = _joined(parts, container, clock.now_ns(), b"")
    return msgspec.json.decode(row, type=ContainerSummary)


def _descends(parts: Parts, image_id: str, name: str) -> bool:
    """Whether the image is the one that *name* means, or was committed on it."""
    try:
        wanted = parts.images.find(name).id
    except HavreError:
        return False
    current: str = image_id
    while current != wanted:
        image = parts.images.get(current)
        if image is None or not image.parent:
            return False
        current = image.parent
    return True


def _joined(parts: Parts, container: Container, now_ns: int, more: bytes) -> bytes:
    row = container.row
    if row is None:
        row = container.row = _encoded(container.record)
    record = container.record
    name, status = _encode(image_name(parts, record)), _encode(status_text(record, now_ns))
    return b"".join((row.head, name, row.middle, status, more, row.tail))


def image_name(parts: Parts, record: Record) -> str:
    """The image as the user called it; its id once that name means something else."""
    given = record.config.image
    try:
        image: Image | None = parts.images.find(given)
    except HavreError:
        image = None
    return given if image is not None and image.id == record.image_id else record.image_id


def _encoded(record: Record) -> Row:
    head = {"Id": record.id, "Names": [f"/{record.name}"]}
    middle: ContainerSummary = {
        "ImageID": record.image_id,
        "Command": _command_line(record.args),
        "Created": record.created_ns // _NS,
        "Ports": ports_of(record),
        "Labels": record.config.labels,
        "State": str(record.state),
    }
    host: dict[str, object] = {"NetworkMode": record.host.network_mode}
    if record.host.annotations:
        host["Annotations"] = record.host.annotations
    tail = {
        "HostConfig": host,
        "NetworkSettings": {"Networks": networks_of(record)},
        "Mounts": mount_points(record),
    }
    return Row(
        _encode(head)[:-1] + b',"Image":',
        b"," + _encode(middle)[1:-1] + b',"Status":',
        b"," + _encode(tail)[1:],
    )


def _command_line(args: tuple[str, ...]) -> str:
    """The command as Docker shows it: each argument that holds a space in quotes, but never the program."""
    return " ".join((*args[:1], *(f"'{word}'" if " " in word else word for word in args[1:])))


async def _sizes(parts: Parts, containers: list[Container]) -> list[bytes]:
    sizes = [await container_sizes(parts, one.record) for one in containers]
    return [b',"SizeRw":%d,"SizeRootFs":%d' % pair for pair in sizes]


async def container_sizes(parts: Parts, record: Record) -> tuple[int, int]:
    """Bytes that the container holds by itself, and with its image."""
    try:
        own = await in_thread(parts.snapshots.usage, record.id)
    except HavreError:
        own = 0
    image = parts.images.get(record.image_id)
    return own, own + (image.size_bytes if image is not None else 0)
