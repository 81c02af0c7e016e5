"""The mounts that nearly every container has, made ahead of need on a root that holds nothing else.

Whoever waits on such a stage never had a mount of the host: what is unmounted there stays busy for nobody, not for a
moment. A fresh mount namespace is a copy of the present one, so a stage begins in a copy of an empty one.
"""

import errno
import os

from havre.kernel.cgroups import Cgroups
from havre.kernel.inroot import make_folders_in_root, open_in_root
from havre.kernel.mounts import (
    AT_FDCWD,
    AT_RECURSIVE,
    OPEN_TREE_CLONE,
    UMOUNT_DETACH,
    MountAttr,
    move_mount,
    new_filesystem,
    open_tree,
    umount,
)
from havre.kernel.namespaces import CLONE, fork_bare, setns, unshare
from havre.oci.runtime_spec import Device, Mount
from havre.runtime import defaults
from havre.runtime.init import devices, mounts, rootfs
from havre.runtime.init.cgroup_view import mount_cgroups, open_views
from havre.runtime.init.mount_options import parse_options

_ROOT = "root"
_UNMADE = frozenset({"sysfs"})  # it shows the network namespace that it was mounted in, which is not known yet
MADE = tuple(entry for entry in defaults.default_mounts(shm_size=defaults.SHM_SIZE) if entry.type not in _UNMADE)
"""What lies on a stage."""

NODES = frozenset(device.path for device in defaults.default_devices())
"""The devices in its /dev."""

MASKED = tuple(path for path in defaults.MASKED_PATHS if path.startswith("/proc/"))
READONLY = tuple(path for path in defaults.READONLY_PATHS if path.startswith("/proc/"))
"""The paths in its /proc that are covered already."""


class Stage:
    """Made by the calling process for itself, in a mount namespace of its own; it becomes its root."""

    def __init__(self, cgroups: Cgroups, group: str, empty: int) -> None:
        views = open_views(cgroups, group)
        setns(empty, CLONE.NEWNS)
        unshare(CLONE.NEWNS)
        self._top = new_filesystem("tmpfs", {"mode": "755"}, int(MountAttr.NOSUID | MountAttr.NODEV))
        move_mount(self._top, AT_FDCWD, "/")
        rootfs.pivot(self._top)
        os.mkdir(_ROOT, 0o755, dir_fd=self._top)
        for entry in MADE:
            if entry.type == "proc":
                self._mount_proc(entry)
            elif entry.type == "cgroup":
                mount_cgroups(self._top, entry, views)
            else:
                mounts.mount_entry(self._top, entry)
            if entry.destination == "/dev":
                self._fill_dev([])
        mounts.protect_paths(self._top, list(READONLY))
        null = mounts.own_null(self._top)
        mounts.mask_paths(self._top, list(MASKED), null)
        os.close(null)
        self._kept: list[Mount] = []
        self._placed: list[Mount] = []

    def fileno(self) -> int:
        """The one descriptor that it needs."""
        return self._top

    def begin(self, root: int, wanted: "list[Mount]") -> int:
        """Attach the detached mount *root*, a handle on which comes back, and let go of what is not *wanted*."""
        place = os.open(_ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._top)
        try:
            move_mount(root, place)
        finally:
            os.close(place)
        for entry in MADE:
            above = _above(entry)
            if entry in wanted and (above is None or above in self._kept):
                self._kept.append(entry)
        for entry in reversed(MADE):
            if entry not in self._kept:
                umount(entry.destination, UMOUNT_DETACH)
        return root

    def place(self, root_fd: int, entry: Mount) -> bool:
        """Move *entry* to its target in *root_fd*, with all that lies below it; False when it was not made here."""
        if entry not in self._kept:
            return False
        self._kept.remove(entry)
        if _above(entry) in self._placed:
            return True  # it came with the one above
        self._placed.append(entry)
        handle = self._handle(entry)
        try:
            target = mounts.folder_of(root_fd, entry)
            try:
                move_mount(handle, target)
            finally:
                os.close(target)
        finally:
            os.close(handle)
        return True

    def _handle(self, entry: Mount) -> int:
        """The mount itself; of /proc a copy, since the way to our own descriptors goes through it until the end."""
        if entry.type == "proc":
            return open_tree(self._top, entry.destination.lstrip("/"), OPEN_TREE_CLONE | AT_RECURSIVE)
        return open_in_root(self._top, entry.destination, os.O_PATH | os.O_DIRECTORY)

    def _mount_proc(self, entry: Mount) -> None:
        """First of all, and by descriptors alone: the others find theirs in it."""
        made = new_filesystem("proc", {}, parse_options(entry.options).attr_set)
        target = make_folders_in_root(self._top, entry.destination, 0o755)
        move_mount(made, target)
        os.close(target)
        os.close(made)

    def _fill_dev(self, more: "list[Device]") -> None:
        dev = make_folders_in_root(self._top, "/dev", 0o755)
        try:
            devices.fill_dev(dev, more, by_bind=False)
        finally:
            os.close(dev)


def empty_namespace() -> int:
    """A handle on a mount namespace with an empty root. Raises OSError; only for a process of one thread."""
    reading, writing = os.pipe()
    waiting, going = os.pipe()
    pid = fork_bare()
    if pid == 0:
        try:
            unshare(CLONE.NEWNS)
            rootfs.separate("", "/")
            top = new_filesystem("tmpfs", {"mode": "755"})
            move_mount(top, AT_FDCWD, "/")
            rootfs.pivot(top)
            os.write(writing, b"r")
            os.close(going)
            os.read(waiting, 1)
        finally:
            os._exit(0)
    os.close(writing)
    os.close(waiting)
    try:
        if not os.read(reading, 1):
            raise OSError(errno.EPERM, "an empty mount namespace cannot be made")
        return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(reading)
        os.close(going)


def _above(entry: Mount) -> Mount | None:
    """The mount of a stage that *entry* lies on."""
    parent = entry.destination.rpartition("/")[0]
    return next((one for one in MADE if one.destination == parent), None)


def join_group(cgroups: Cgroups, group: str) -> None:
    """Go into *group*, and make it the top of what is seen: cgroup_namespaces(7)."""
    cgroups.join(group, cloned=True)
    unshare(CLONE.NEWCGROUP)
