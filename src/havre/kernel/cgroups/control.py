"""The cgroups of this host behind one contract, whichever version it runs."""

import contextlib
import errno
import os
import signal
from contextlib import ExitStack

from havre.kernel.cgroups.contract import (
    CgroupBusy,
    CgroupInUse,
    CgroupStats,
    ContainerView,
    Dialect,
    Hierarchies,
    InvalidCgroupPath,
    NoSuchController,
    Write,
)
from havre.kernel.cgroups.hierarchy import Hierarchy, wait_until
from havre.kernel.cgroups.mounted import find_trees, open_trees
from havre.kernel.cgroups.v1 import V1
from havre.kernel.cgroups.v2 import V2
from havre.kernel.libc import KernelError
from havre.kernel.process import pidfd_open, pidfd_send_signal
from havre.oci.runtime_spec import Resources

_MAX_PATH = 4096
_MAX_NAME = 255
_KILL_WITHIN_S = 5.0
_GONE = frozenset({errno.ENOENT, errno.ENODEV})
# The tree to count processes in: one that each has joined and that containers are least apt to split further.
_COUNTED = ("freezer", "pids", "devices", "memory", "cpu")


class Cgroups:
    """Groups of processes under common limits.

    *path* is the cgroupsPath of an OCI spec, like `/havre/<id>`: below the mount point of each hierarchy, never the
    top itself. A group is made (`create`), limited (`apply`, again for every update), joined (`join`), and removed
    when its processes are gone; removing or killing what does not exist is no error. Nothing here outlives the
    call but the kernel's own state, so any process may go on where another stopped.
    """

    def __init__(self, trees: Hierarchies) -> None:
        self.trees = trees
        self._dialect: Dialect = V1(trees) if trees.controllers or trees.unified is None else V2(trees.unified)
        self.version = self._dialect.version

    def close(self) -> None:
        """Give the handles back."""
        for tree in self.trees.every:
            tree.close()

    def create(self, path: str, *, beside: bool = True) -> None:
        """Make the group; an empty one that is there is taken over.

        Without *beside* it is left out of a v2 tree that stands beside v1 without controllers, and there its processes
        stay where they are. Raises CgroupInUse when it holds processes. When it fails, nothing that it made is left.
        """
        name = checked_path(path)
        if self.pids(path):
            raise CgroupInUse(f"cgroup {path} holds processes already: {self.pids(path)[:8]}")
        with ExitStack() as undo:
            for tree in self.trees.every:
                if (beside or tree.version == self.version) and tree.make(name):
                    undo.callback(tree.remove, name)
            self._dialect.prepare(name)
            undo.pop_all()

    def apply(self, path: str, resources: Resources) -> None:
        """Set the limits that *resources* names; others stay as they are.

        Raises InvalidInput, NotSupported or NoSuchController for what cannot be, KernelError for what the kernel
        refuses. Limits that were set before the failing one stay.
        """
        name = checked_path(path)
        for write in self._dialect.plan(name, resources):
            self._write(name, write)
        if resources.devices is not None:
            self._dialect.restrict_devices(name, resources.devices)

    def _write(self, name: str, write: Write) -> None:
        tree = self._tree_of(write.controller)
        for file, value in ((write.file, write.value), *write.instead):
            try:
                if tree is not None:
                    tree.write(name, file, value)
                    return
            except KernelError as error:
                if error.errno != errno.ENOENT or not tree or not tree.exists(name):
                    raise
        if write.asked:
            kind = "controller" if tree is None else f"file {write.file}"
            raise NoSuchController(
                f"{write.asked} was asked for, but this host's cgroup v{self.version} has no {kind}"
                f"{f' {write.controller}' if tree is None else ''}"
            )

    def _tree_of(self, controller: str) -> Hierarchy | None:
        return self.trees.unified if self.version == 2 else self.trees.controllers.get(controller)

    def join(self, path: str, pid: int = 0, *, cloned: bool = False) -> None:
        """Move the calling process into the group, or *pid* (KernelError ESRCH when that is gone).

        Moving a whole process makes the kernel wait ten milliseconds and more for a grace period. It need not
        when a process of one thread moves itself, and none is moved on v2 when it was born inside: so the quick
        way is clone3 with `clone_fd`, then `join(path, cloned=True)` as the child's first act.
        """
        name = checked_path(path)
        for tree in self.trees.every:
            if tree.version == 1 and pid == 0:
                tree.write(name, "tasks", "0")
            elif tree.version == 1:
                tree.write(name, "cgroup.procs", str(pid))
            elif not cloned:
                tree.write(_inhabited(tree, name), "cgroup.procs", str(pid))

    def procs_files(self, path: str) -> list[str]:
        """The files that take the pid of a process that joins; `join` is the quicker way for oneself."""
        return [tree.where(checked_path(path), "cgroup.procs") for tree in self.trees.every]

    def clone_fd(self, path: str, first: int = 0) -> int | None:
        """A handle for CLONE_INTO_CGROUP, which joins the v2 tree also where that stands beside v1.

        None without such a tree, or when the group has no part in one that stands beside. Where the group's processes
        went below it, the handle is on the group that *first* went to.
        """
        tree, name = self.trees.unified, checked_path(path)
        if tree is None or (self.version == 1 and not tree.exists(name)):
            return None
        return tree.open(_inhabited(tree, name, first))

    def pids(self, path: str) -> list[int]:
        """The processes in the group and in those below it, as this pid namespace numbers them."""
        return self._counted().pids(checked_path(path))

    def _counted(self) -> Hierarchy:
        trees = self.trees
        if self.version == 2 and trees.unified:
            return trees.unified
        return next((trees.controllers[word] for word in _COUNTED if word in trees.controllers), trees.every[0])

    def freeze(self, path: str) -> None:
        """Stop every process where it stands. Raises CgroupBusy (and none is stopped), NoSuchController."""
        self._dialect.set_frozen(checked_path(path), frozen=True)

    def thaw(self, path: str) -> None:
        """Let them go on; no error when they were not frozen."""
        self._dialect.set_frozen(checked_path(path), frozen=False)

    def is_frozen(self, path: str) -> bool:
        """Whether the group is, or is being, frozen."""
        return self._dialect.is_frozen(checked_path(path))

    def kill(self, path: str, signum: int = signal.SIGKILL) -> None:
        """Send *signum* to every process of the group and of those below it, also to those being forked just now.

        SIGKILL reaches frozen groups too and thaws them, since the dead must run to die. Raises CgroupBusy when
        processes keep appearing for five seconds.
        """
        name = checked_path(path)
        tree = self.trees.unified
        if signum == signal.SIGKILL and tree is not None and tree.exists(name, "cgroup.kill"):
            with contextlib.suppress(KernelError):  # it vanishes with its last process when someone else removes it
                tree.write(name, "cgroup.kill", "1")
        frozen_before = self.is_frozen(path)
        try:
            with contextlib.suppress(CgroupBusy, NoSuchController, KernelError):
                self.freeze(path)
            self._signal_all(path, signum)
        finally:
            if signum == signal.SIGKILL or not frozen_before:
                with contextlib.suppress(CgroupBusy, NoSuchController, KernelError):
                    self.thaw(path)

    def _signal_all(self, path: str, signum: int) -> None:
        """Each process once; new ones are looked for until a round finds none, for groups that cannot freeze."""
        reached: set[int] = set()

        def none_is_new() -> bool:
            fresh = [pid for pid in self.pids(path) if pid not in reached]
            self._signal(path, fresh, signum)
            reached.update(fresh)
            return not fresh

        if not wait_until(none_is_new, _KILL_WITHIN_S):
            raise CgroupBusy(f"processes of cgroup {path} fork faster than they can be signalled")

    def _signal(self, path: str, pids: list[int], signum: int) -> None:
        """A number may pass to a stranger at any time: hold the process, look again, then signal what is held."""
        with ExitStack() as held:
            handles: dict[int, int] = {}
            for pid in pids:
                with contextlib.suppress(KernelError):
                    handles[pid] = pidfd_open(pid)
                    held.callback(os.close, handles[pid])
            members = set(self.pids(path)) if handles else set()
            for pid, handle in handles.items():
                if pid in members:
                    with contextlib.suppress(ProcessLookupError, KernelError):
                        pidfd_send_signal(handle, signum)

    def remove(self, path: str) -> None:
        """Take the group and those below it away; it kills nothing.

        What its last processes keep busy while they die is tried again for a second, then KernelError EBUSY.
        """
        name = checked_path(path)
        for tree in self.trees.every:
            tree.remove(name)

    def oom_killed(self, path: str) -> bool:
        """Whether the kernel killed a process of the group for want of memory; False once it is removed."""
        return self._dialect.oom_kills(checked_path(path)) > 0

    def stats(self, path: str) -> CgroupStats:
        """What the group used so far."""
        return self._dialect.stats(checked_path(path))

    def mounts_for_container(self, path: str) -> tuple[ContainerView, ...]:
        """What /sys/fs/cgroup must show inside: one view of everything on v2; folders and links in a tmpfs on v1."""
        return self._dialect.views(checked_path(path))


def _inhabited(tree: Hierarchy, name: str, first: int = 0) -> str:
    """The group itself, or where its processes went, *first* before others: one that hands controllers down holds none.

    Such a container runs a manager of its own groups (v2), which moved everyone one level down.
    """
    if not tree.read(name, "cgroup.subtree_control").strip():
        return name
    held = {folder: tree.read(folder, "cgroup.procs").split() for folder in tree.folders(name)[1:]}
    inhabited = [folder for folder, pids in held.items() if pids]
    return next((folder for folder in inhabited if str(first) in held[folder]), next(iter(inhabited), name))


def checked_path(path: str) -> str:
    """*path* relative to a mount point. Raises InvalidCgroupPath for the top, `..`, and what is no path."""
    parts = path.strip("/").split("/")
    bad = {"", ".", ".."}
    if (
        len(path) > _MAX_PATH
        or not path.isprintable()
        or any(part in bad or len(part.encode()) > _MAX_NAME for part in parts)
    ):
        raise InvalidCgroupPath(f"invalid cgroup path {path[:128]!r}")
    return "/".join(parts)


def open_cgroups() -> Cgroups:
    """The cgroups of this host: v1 where its controllers are mounted (also beside an empty v2), else v2.

    Raises NotSupported when none is mounted.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mountinfo:  # noqa: PTH123
        return Cgroups(open_trees(find_trees(mountinfo.read())))
