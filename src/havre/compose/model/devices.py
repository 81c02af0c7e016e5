"""Devices: by path (`HOST[:CONTAINER[:rwm]]`), by CDI name, or by ability."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Scalar, Table, fault
from havre.compose.model import readers as read


class Device(Struct, frozen=True):
    """A device node of the host; a CDI name has no target."""

    source: str
    target: str = ""
    permissions: str = "rwm"
    extensions: Mapping[str, object] = field(default_factory=dict)


class DeviceRequest(Struct, frozen=True):
    """Devices asked for by ability; *count* -1 is all."""

    capabilities: tuple[str, ...] = ()
    count: int | None = None
    device_ids: tuple[str, ...] = ()
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


def devices(node: Node, path: Path) -> tuple[Device, ...]:
    """The attribute `devices`."""
    return read.tuple_of(_device)(node, path)


def _device(node: Node, path: Path) -> Device:
    if isinstance(node, Table):
        return _long(node, path)
    text = read.text(node, path)
    if not text.startswith("/") and "=" in text:
        return Device(text)
    source, target, permissions = (*text.split(":"), "", "")[:3]
    if not source or text.count(":") > 2:
        raise fault(node, path, f"invalid device {text!r}: HOST[:CONTAINER[:rwm]] expected")
    if target and not set(target) - set("rwm") and not permissions:
        target, permissions = "", target
    return Device(source, target or source, permissions or "rwm")


def gpus(node: Node, path: Path) -> tuple[DeviceRequest, ...]:
    """The attribute `gpus`: `all`, or requests."""
    if isinstance(node, Scalar):
        if node.value == "all":
            return (DeviceRequest((), -1),)
        raise fault(node, path, "must be 'all' or a list")
    return requests(node, path)


def _count(node: Node, path: Path) -> int:
    return -1 if isinstance(node, Scalar) and node.value == "all" else read.integer(node, path)


_long = read.record(
    lambda **given: Device(**{"target": given["source"], **given}),
    {"source": read.text, "target": read.text, "permissions": read.text},
    "source",
)
requests = read.tuple_of(
    read.record(
        DeviceRequest,
        {
            "capabilities": read.tuple_of(read.text),
            "count": _count,
            "device_ids": read.tuple_of(read.word),
            "driver": read.text,
            "options": read.texts_by_key,
        },
    )
)
