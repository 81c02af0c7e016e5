"""What a service mounts: `[SOURCE:]TARGET[:MODE]`, or the same as a mapping."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Table, fault
from havre.compose.model import readers as read
from havre.compose.model.values import NO_SIZE, Mode, Size

_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_CONSISTENCIES = frozenset({"consistent", "cached", "delegated", "default"})


class BindWishes(Struct, frozen=True):
    """How a folder of the host is mounted."""

    propagation: str = ""
    create_host_path: bool = False
    recursive: str = ""
    selinux: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class VolumeWishes(Struct, frozen=True):
    """How a volume is mounted."""

    labels: Mapping[str, str] = field(default_factory=dict)
    nocopy: bool = False
    subpath: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class TmpfsWishes(Struct, frozen=True):
    """How big a file system in memory may grow, and the mode of its root."""

    size: Size = NO_SIZE
    mode: Mode | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


class ImageWishes(Struct, frozen=True):
    """Which part of an image is mounted."""

    subpath: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


class Mount(Struct, frozen=True):
    """One mount; a volume without *source* is anonymous."""

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    consistency: str = ""
    bind: BindWishes | None = None
    volume: VolumeWishes | None = None
    tmpfs: TmpfsWishes | None = None
    image: ImageWishes | None = None
    extensions: Mapping[str, object] = field(default_factory=dict)


def mounts(node: Node, path: Path) -> tuple[Mount, ...]:
    """The attribute `volumes` of a service; of two mounts at one target the later one stands."""
    made = {mount.target: mount for mount in read.tuple_of(_mount)(node, path)}
    return tuple(made.values())


def short_mount(text: str) -> Mount:
    """What one short form means. Raises ValueError."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise ValueError(f"invalid volume {text!r}: [SOURCE:]TARGET[:MODE] expected")
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    if not target.startswith("/"):
        raise ValueError(f"invalid volume {text!r}: the path in the container must be absolute")
    target = target.rstrip("/") or "/"
    modes = set(parts[2].split(",")) if len(parts) == 3 else set()
    unknown = modes - _PROPAGATIONS - _CONSISTENCIES - {"rw", "ro", "z", "Z", "nocopy"}
    if unknown:
        raise ValueError(f"invalid volume {text!r}: unknown mode {min(unknown)!r}")
    read_only = "ro" in modes
    consistency = next(iter(sorted(modes & _CONSISTENCIES)), "")
    if source.startswith(("/", ".", "~")):
        bind = BindWishes(
            next(iter(sorted(modes & _PROPAGATIONS)), ""), True, "", next(iter(sorted(modes & {"z", "Z"})), "")
        )
        return Mount("bind", target, source, read_only, consistency, bind)
    return Mount("volume", target, source, read_only, consistency, volume=VolumeWishes({}, "nocopy" in modes))


def _mount(node: Node, path: Path) -> Mount:
    if isinstance(node, Table):
        made = _long(node, path)
        if made.type == "bind" and not made.source:
            raise fault(node, path, "a bind mount needs a source")
        if made.type == "image" and not made.source:
            raise fault(node, path, "an image mount needs a source")
        return made
    try:
        return short_mount(read.text(node, path))
    except ValueError as error:
        raise fault(node, path, str(error)) from None


def _target(node: Node, path: Path) -> str:
    value = read.text(node, path)
    if not value.startswith("/"):
        raise fault(node, path, f"the path in the container must be absolute: {value!r}")
    return value.rstrip("/") or "/"


_bind = read.record(
    lambda **given: BindWishes(**{"create_host_path": True, **given}),
    {
        "propagation": read.one_of(*sorted(_PROPAGATIONS)),
        "create_host_path": read.boolean,
        "recursive": read.one_of("enabled", "disabled", "writable", "readonly"),
        "selinux": read.one_of("z", "Z"),
    },
)
_long = read.record(
    Mount,
    {
        "type": read.one_of("bind", "volume", "tmpfs", "cluster", "npipe", "image"),
        "source": read.text,
        "target": _target,
        "read_only": read.boolean,
        "consistency": read.text,
        "bind": _bind,
        "volume": read.record(
            VolumeWishes, {"labels": read.texts_by_key, "nocopy": read.boolean, "subpath": read.text}
        ),
        "tmpfs": read.record(TmpfsWishes, {"size": read.size, "mode": read.octal}),
        "image": read.record(ImageWishes, {"subpath": read.text}),
    },
    "type",
    "target",
)
