"""How a service's image is built."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, Scalar
from havre.compose.model import readers as read
from havre.compose.model.grants import Grant, grants
from havre.compose.model.hosts import extra_hosts
from havre.compose.model.limits import Ulimit, ulimits
from havre.compose.model.values import NO_SIZE, Size


class Build(Struct, frozen=True):
    """The attribute `build`."""

    context: str = ""
    dockerfile: str = ""
    dockerfile_inline: str = ""
    entitlements: tuple[str, ...] = ()
    args: Mapping[str, str | None] = field(default_factory=dict)
    ssh: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    additional_contexts: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    provenance: str = ""
    sbom: str = ""
    pull: bool = False
    target: str = ""
    shm_size: Size = NO_SIZE
    extra_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    isolation: str = ""
    privileged: bool = False
    secrets: tuple[Grant, ...] = ()
    tags: tuple[str, ...] = ()
    ulimits: Mapping[str, Ulimit] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    extensions: Mapping[str, object] = field(default_factory=dict)


def build(node: Node, path: Path) -> Build:
    """A folder, or a mapping."""
    if isinstance(node, Scalar):
        return Build(context=read.text(node, path))
    return _long(node, path)


_long = read.record(
    Build,
    {
        "context": read.text,
        "dockerfile": read.text,
        "dockerfile_inline": read.text,
        "entitlements": read.tuple_of(read.text),
        "args": read.key_values,
        "ssh": read.texts_by_key,
        "labels": read.texts_by_key,
        "cache_from": read.tuple_of(read.text),
        "cache_to": read.tuple_of(read.text),
        "no_cache": read.boolean,
        "no_cache_filter": read.one_or_many(read.text),
        "additional_contexts": read.texts_by_key,
        "network": read.text,
        "provenance": read.anything,
        "sbom": read.anything,
        "pull": read.boolean,
        "target": read.text,
        "shm_size": read.size,
        "extra_hosts": extra_hosts,
        "isolation": read.text,
        "privileged": read.boolean,
        "secrets": grants,
        "tags": read.tuple_of(read.text),
        "ulimits": ulimits,
        "platforms": read.tuple_of(read.text),
    },
)
