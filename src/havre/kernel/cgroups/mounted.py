"""Which cgroup hierarchies this host has mounted, and where: read from /proc/self/mountinfo, see proc(5)."""

from typing import NamedTuple

from havre.base.errors import NotSupported
from havre.kernel.cgroups.contract import Hierarchies
from havre.kernel.cgroups.hierarchy import Hierarchy

_KNOWN = frozenset(
    {
        "blkio",
        "cpu",
        "cpuacct",
        "cpuset",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "misc",
        "net_cls",
        "net_prio",
        "perf_event",
        "pids",
        "rdma",
    }
)
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


class MountedTree(NamedTuple):
    """One cgroup mount; *options* are those that mount the same hierarchy again (empty on v2)."""

    mount_point: str
    controllers: frozenset[str]
    options: str


def find_trees(mountinfo: str) -> list[MountedTree]:
    """The cgroup mounts, one a hierarchy, v1 first; those below /sys/fs/cgroup win over copies elsewhere."""
    found: dict[str, MountedTree] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = [*after.split(), "", "", ""][:3]
        if kind not in ("cgroup", "cgroup2"):
            continue
        tree = _tree(_unescaped(before.split()[4]), kind, options)
        earlier = found.get(tree.options)
        if earlier is None or (_is_usual(tree) and not _is_usual(earlier)):
            found[tree.options] = tree
    return sorted(found.values(), key=lambda tree: (not tree.options, tree.mount_point))


def open_trees(trees: list[MountedTree]) -> Hierarchies:
    """Handles on *trees*. A v2 tree beside controllers of v1 only tracks processes. Raises NotSupported for none."""
    if not trees:
        raise NotSupported("no cgroup hierarchy is mounted on this host")
    every = tuple(Hierarchy(tree.mount_point, tree.controllers, tree.options) for tree in trees)
    controllers = {name: hierarchy for hierarchy in every for name in hierarchy.controllers}
    unified = next((hierarchy for hierarchy in every if hierarchy.version == 2), None)
    return Hierarchies(controllers, every, unified)


def _tree(mount_point: str, kind: str, options: str) -> MountedTree:
    if kind == "cgroup2":
        return MountedTree(mount_point, frozenset(), "")
    words = options.split(",")
    names = [word for word in words if word.startswith("name=")]
    controllers = sorted(_KNOWN.intersection(words))
    return MountedTree(
        mount_point, frozenset(controllers), ",".join([*(["none"] if names else []), *names, *controllers])
    )


def _is_usual(tree: MountedTree) -> bool:
    return tree.mount_point.startswith("/sys/fs/cgroup")


def _unescaped(word: str) -> str:
    for escape, character in _ESCAPES.items():
        word = word.replace(escape, character)
    return word
