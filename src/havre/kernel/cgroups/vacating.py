"""Room for groups inside a container: cgroups(7), "no internal processes" rule of v2."""

import errno
from contextlib import suppress

from havre.kernel.cgroups.control import Cgroups
from havre.kernel.cgroups.hierarchy import Hierarchy, wait_until
from havre.kernel.libc import KernelError

_GROUP = "init"
_WITHIN_S = 1.0
_ELSEWHERE = "0"  # how cgroup.procs shows a process that has no number in our pid namespace


def vacate_top(cgroups: Cgroups) -> None:
    """Move the processes of the top into a group of their own, `init`, where the top is a container's: on v2.

    Whoever may make groups in a container finds processes at the top, and with them no controller is handed down: no
    limit could be set below. The host's own top is spared by the rule, and by us. A tree that cannot be changed is left
    as it is.
    """
    tree = cgroups.trees.unified
    if cgroups.version == 2 and tree is not None and tree.exists(".", "cgroup.type"):
        with suppress(KernelError):
            wait_until(lambda: _is_vacated(tree), _WITHIN_S)


def _is_vacated(tree: Hierarchy) -> bool:
    """Whether nobody was there; who was is moved, and what they forked meanwhile is left for the next look."""
    found = [pid for pid in tree.read(".", "cgroup.procs").split() if pid != _ELSEWHERE]
    if found:
        tree.make(_GROUP)
    for pid in found:
        try:
            tree.write(_GROUP, "cgroup.procs", pid)
        except KernelError as error:
            if error.errno != errno.ESRCH:
                raise
    return not found
