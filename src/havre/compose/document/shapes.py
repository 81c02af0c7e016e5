"""Where attributes stand and in which of their two spellings: what merging must know of the format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from havre.compose.document.nodes import Items, Node, Path, Scalar, Table

_S: Final = ("services", "*")


def _paths(*dotted: str) -> frozenset[Path]:
    return frozenset(tuple(path.split(".")) for path in dotted)


# A list of `KEY=VALUE` or a mapping: merged key by key.
PAIRS: Final = _paths(
    *(f"services.*.{name}" for name in (
        "environment", "labels", "annotations", "sysctls", "build.args", "build.labels", "build.additional_contexts",
        "build.ssh", "deploy.labels", "extra_hosts", "build.extra_hosts", "logging.options", "storage_opt",
    )),
    "networks.*.labels", "volumes.*.labels", "secrets.*.labels", "configs.*.labels",
)  # fmt: skip
# A list of names or a mapping of them.
NAMED: Final = _paths("services.*.networks", "services.*.depends_on", "services.*.models")
# One text or a list of them: appended, each once.
TEXTS: Final = _paths(
    *(f"services.*.{name}" for name in (
        "dns", "dns_search", "dns_opt", "env_file", "label_file", "tmpfs", "cap_add", "cap_drop", "expose",
        "external_links", "links", "group_add", "security_opt", "profiles", "volumes_from", "device_cgroup_rules",
        "build.tags", "build.platforms", "build.cache_from", "build.cache_to", "build.entitlements",
        "build.no_cache_filter",
    )),
)  # fmt: skip
# Replaced whole.
WHOLE: Final = _paths(
    "services.*.command", "services.*.entrypoint", "services.*.healthcheck.test", "services.*.provider.type",
)  # fmt: skip


def matches(path: Path, patterns: Iterable[Path]) -> bool:
    """Whether one of *patterns* (where `*` is any key) is *path*."""
    return any(
        len(pattern) == len(path) and all(want in ("*", part) for want, part in zip(pattern, path, strict=True))
        for pattern in patterns
    )


def canonical(node: Node, path: Path) -> Node:
    """*node* in the longer of the spellings that may be merged with each other."""
    if matches(path, PAIRS):
        return pairs(node, hosts=path[-1] == "extra_hosts")
    if matches(path, NAMED) and isinstance(node, Items):
        return names(node)
    if matches(path, TEXTS) and isinstance(node, Scalar) and node.value is not None:
        return Items((replace(node, tag=""),), node.place, node.tag)
    if path[:1] == ("services",) and path[2:] == ("build",) and isinstance(node, Scalar) and node.value is not None:
        return Table({"context": replace(node, tag="")}, node.place, node.tag)
    return node


def pairs(node: Node, *, hosts: bool = False) -> Node:
    """A list of `KEY=VALUE` (for hosts also `NAME:ADDRESS`) as a mapping; anything else as it is."""
    if not isinstance(node, Items) or not all(
        isinstance(item, Scalar) and not isinstance(item.value, bool | None) for item in node.items
    ):
        return node
    entries: dict[str, Node] = {}
    for item in node.items:
        text = str(item.value) if isinstance(item, Scalar) else ""
        key, sign, value = text.partition("=")
        if hosts and not sign:
            key, sign, value = text.partition(":")
        made = Scalar(value if sign else None, item.place)
        before = entries.get(key)
        if hosts and before is not None:
            held = before.items if isinstance(before, Items) else (before,)
            entries[key] = Items((*held, made), before.place)
        else:
            entries[key] = made
    places = {key: value.place for key, value in entries.items()}
    return Table(entries, node.place, node.tag, places)


def names(node: Items) -> Node:
    """A list of names as a mapping without values; what is no such list stays."""
    if not all(isinstance(item, Scalar) and isinstance(item.value, str) for item in node.items):
        return node
    entries = {str(item.value): Scalar(None, item.place) for item in node.items if isinstance(item, Scalar)}
    return Table(dict(entries), node.place, node.tag, {key: value.place for key, value in entries.items()})
