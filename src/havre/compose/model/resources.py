"""What services share: networks, volumes, secrets and configs, and models."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Scalar, Table, fault
from havre.compose.model import readers as read


class Subnet(Struct, frozen=True):
    """One subnet of a network."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


class Ipam(Struct, frozen=True):
    """How a network hands out addresses."""

    driver: str = ""
    config: tuple[Subnet, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


class Network(Struct, frozen=True):
    """A network of the application, or one that is there already (*external*)."""

    name: str = ""
    driver: str = ""
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    ipam: Ipam | None = None
    external: bool = False
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


class Volume(Struct, frozen=True):
    """A volume of the application, or one that is there already (*external*)."""

    name: str = ""
    driver: str = ""
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    external: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)


class FileObject(Struct, frozen=True):
    """A secret or config: content from a file, a variable or the compose file itself."""

    name: str = ""
    file: str = ""
    environment: str = ""
    content: str | None = None
    external: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    driver: str = ""
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    template_driver: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)


def _external(node: Node, path: Path) -> bool | str:
    """A truth value, or the old mapping with the name."""
    if isinstance(node, Table):
        return read.record(dict[str, str], {"name": read.text})(node, path).get("name", "") or True
    return read.boolean(node, path)


_options = read.mapping_of(read.anything)
_subnet = read.record(
    Subnet,
    {
        "subnet": read.text,
        "ip_range": read.text,
        "gateway": read.text,
        "aux_addresses": read.mapping_of(read.text),
    },
)
_NETWORK: Mapping[str, read.Reader[object]] = {
    "name": read.text,
    "driver": read.text,
    "driver_opts": _options,
    "ipam": read.record(
        Ipam, {"driver": read.text, "config": read.tuple_of(_subnet), "options": read.mapping_of(read.text)}
    ),
    "external": _external,
    "internal": read.boolean,
    "attachable": read.boolean,
    "enable_ipv4": read.boolean,
    "enable_ipv6": read.boolean,
    "labels": read.texts_by_key,
}
_VOLUME: Mapping[str, read.Reader[object]] = {
    "name": read.text,
    "driver": read.text,
    "driver_opts": _options,
    "external": _external,
    "labels": read.texts_by_key,
}
_SECRET: Mapping[str, read.Reader[object]] = {
    "name": read.text,
    "environment": read.text,
    "file": read.text,
    "external": _external,
    "labels": read.texts_by_key,
    "driver": read.text,
    "driver_opts": _options,
    "template_driver": read.text,
}
_CONFIG: Mapping[str, read.Reader[object]] = {
    "name": read.text,
    "content": read.text,
    "environment": read.text,
    "file": read.text,
    "external": _external,
    "labels": read.texts_by_key,
    "template_driver": read.text,
}


def _shared(read_fields: read.Reader[Mapping[str, object]], node: Node, path: Path) -> dict[str, object]:
    """The fields of one shared thing, an old-style external name resolved."""
    if isinstance(node, Scalar) and node.value is None:
        return {}
    given = dict(read_fields(node, path))
    external = given.get("external", False)
    if isinstance(external, str):
        if given.get("name") not in (None, "", external):
            raise fault(node, path, "name and external.name contradict each other")
        given["name"], given["external"] = external, True
    if given.get("external") and (extra := sorted(given.keys() - {"external", "name", "extensions"})):
        raise fault(node, path, f"conflicting parameters 'external' and {extra[0]!r}")
    return given


def _fields(readers: Mapping[str, read.Reader[object]]) -> read.Reader[Mapping[str, object]]:
    plain = read.record(_Given, readers)
    return lambda node, path: plain(node, path).values


class _Given:
    """Fields by name, extensions among them."""

    values: Mapping[str, object]
    extensions: Mapping[str, object]

    def __init__(self, **values: object) -> None:
        self.values = values


_read_network, _read_volume = _fields(_NETWORK), _fields(_VOLUME)
_read_secret, _read_config = _fields(_SECRET), _fields(_CONFIG)


def network(node: Node, path: Path) -> Network:
    """One entry of `networks`."""
    return Network(**_shared(_read_network, node, path))  # type: ignore[arg-type]  # as the readers made them


def volume(node: Node, path: Path) -> Volume:
    """One entry of `volumes`."""
    return Volume(**_shared(_read_volume, node, path))  # type: ignore[arg-type]  # as the readers made them


def secret(node: Node, path: Path) -> FileObject:
    """One entry of `secrets`."""
    return _one_source(FileObject(**_shared(_read_secret, node, path)), node, path, "file or environment")  # type: ignore[arg-type]  # as the readers made them


def config(node: Node, path: Path) -> FileObject:
    """One entry of `configs`."""
    return _one_source(FileObject(**_shared(_read_config, node, path)), node, path, "file, environment or content")  # type: ignore[arg-type]  # as the readers made them


def _one_source(made: FileObject, node: Node, path: Path, sources: str) -> FileObject:
    given = [bool(made.file), bool(made.environment), made.content is not None, made.external, bool(made.driver)]
    if sum(given) != 1:
        raise fault(node, path, f"exactly one of {sources} must be given, or external")
    return made
