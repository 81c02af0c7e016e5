"""Limits of processes and of block devices."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Table
from havre.compose.model import readers as read
from havre.compose.model.values import Size


class Ulimit(Struct, frozen=True):
    """A limit of setrlimit(2); *single* when one number was given for both."""

    soft: int
    hard: int
    single: bool = False
    extensions: Mapping[str, object] = field(default_factory=dict)


class Throttle(Struct, frozen=True):
    """A rate for one block device: bytes or operations a second."""

    path: str
    rate: Size
    extensions: Mapping[str, object] = field(default_factory=dict)


class DeviceWeight(Struct, frozen=True):
    """A share of one block device."""

    path: str
    weight: int
    extensions: Mapping[str, object] = field(default_factory=dict)


class BlkioConfig(Struct, frozen=True):
    """The attribute `blkio_config`."""

    weight: int = 0
    weight_device: tuple[DeviceWeight, ...] = ()
    device_read_bps: tuple[Throttle, ...] = ()
    device_read_iops: tuple[Throttle, ...] = ()
    device_write_bps: tuple[Throttle, ...] = ()
    device_write_iops: tuple[Throttle, ...] = ()
    extensions: Mapping[str, object] = field(default_factory=dict)


def ulimits(node: Node, path: Path) -> Mapping[str, Ulimit]:
    """The attribute `ulimits`: one number, or soft and hard."""
    return read.mapping_of(_ulimit)(node, path)


def _ulimit(node: Node, path: Path) -> Ulimit:
    if isinstance(node, Table):
        return _both(node, path)
    limit = read.integer(node, path)
    return Ulimit(limit, limit, single=True)


_both = read.record(Ulimit, {"soft": read.integer, "hard": read.integer}, "soft", "hard")
_throttles = read.tuple_of(read.record(Throttle, {"path": read.text, "rate": read.size}, "path", "rate"))
blkio_config = read.record(
    BlkioConfig,
    {
        "weight": read.integer,
        "weight_device": read.tuple_of(
            read.record(DeviceWeight, {"path": read.text, "weight": read.integer}, "path", "weight")
        ),
        "device_read_bps": _throttles,
        "device_read_iops": _throttles,
        "device_write_bps": _throttles,
        "device_write_iops": _throttles,
    },
)
