"""The root of the container: mounted, made the root of its mount namespace, and the old one let go."""

import os

from havre.kernel.libc import KernelError
from havre.kernel.mounts import (
    AT_FDCWD,
    AT_RECURSIVE,
    OPEN_TREE_CLONE,
    UMOUNT_DETACH,
    MountFlag,
    mount,
    mount_setattr,
    move_mount,
    open_tree,
    pivot_root,
    umount,
)
from havre.oci.runtime_spec import Mount
from havre.runtime.errors import StepFailed
from havre.runtime.init.mount_options import parse_options

_PAGE = 4095
_PROPAGATION = {
    "": int(MountFlag.SLAVE | MountFlag.REC),
    "private": int(MountFlag.PRIVATE),
    "slave": int(MountFlag.SLAVE),
    "shared": int(MountFlag.SHARED),
    "unbindable": int(MountFlag.UNBINDABLE),
    "rprivate": int(MountFlag.PRIVATE | MountFlag.REC),
    "rslave": int(MountFlag.SLAVE | MountFlag.REC),
    "rshared": int(MountFlag.SHARED | MountFlag.REC),
    "runbindable": int(MountFlag.UNBINDABLE | MountFlag.REC),
}


def separate(propagation: str, root: str) -> None:
    """Set how mounts travel between the host and this new mount namespace; unless asked for, none goes out."""
    flags = _PROPAGATION.get(propagation)
    if flags is None:
        raise StepFailed(f"rootfsPropagation {propagation!r} is not known")
    mount("", "/", flags=flags)
    if flags & MountFlag.SHARED:
        _make_parent_private(root)


def leave_ramdisk() -> None:
    """Go over to a copy of the root's mounts on top of it.

    pivot_root(2) wants a root that lies on another mount, and the initial ramdisk lies on none.
    """
    copy = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE)
    try:
        move_mount(copy, AT_FDCWD, "/")
        os.fchdir(copy)
    finally:
        os.close(copy)
    os.chroot(".")
    os.chdir("/")


def mount_root(root: str, mounts: "list[Mount]") -> int:
    """Mount *mounts*, the first on the folder *root*; a handle on the top of the finished tree.

    Without any, *root* is bound over itself, since pivot_root(2) wants a mount point.
    """
    if not mounts:
        mount(root, root, flags=MountFlag.BIND | MountFlag.REC)
    for entry in mounts:
        inside = entry.destination.strip("/")
        _mount_one(entry, f"{root}/{inside}" if inside and entry.destination != root else root)
    return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _mount_one(entry: Mount, target: str) -> None:
    options = parse_options(entry.options, kind=entry.type)
    if options.bind:
        mount(entry.source, target, flags=MountFlag.BIND | (MountFlag.REC if options.recursive else 0))
        if options.attr_set or options.attr_clear:
            handle = os.open(target, os.O_PATH | os.O_CLOEXEC)
            try:
                mount_setattr(handle, set_=options.attr_set, clear=options.attr_clear)
            finally:
                os.close(handle)
        return
    data = ",".join(options.data)
    if entry.type != "overlay" or len(data.encode()) <= _PAGE:
        mount(entry.source or entry.type, target, entry.type, options.flags, data)
    else:
        _mount_many_layers(options.data, options.flags, target)


def _mount_many_layers(options: "tuple[str, ...]", flags: int, target: str) -> None:
    """Named from the folder that all layers share, so that they fit the page of options that mount(2) takes."""
    from havre.kernel.overlay_options import short_options

    pairs = [(key, value) for key, _, value in (option.partition("=") for option in options)]
    lowers = next(value for key, value in pairs if key == "lowerdir").split(":")
    folder, data = short_options(lowers, [pair for pair in pairs if pair[0] != "lowerdir"])
    os.chdir(folder)
    mount("overlay", target, "overlay", flags, data)
    os.chdir("/")


def pivot(root_fd: int) -> None:
    """Make *root_fd* the root and let everything outside it go; the working folder is the new root.

    pivot_root(2), "pivot_root(".", ".")": old and new root lie on one another, and the upper one is taken off.
    """
    old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fchdir(root_fd)
    pivot_root(".", ".")
    os.fchdir(old)  # from here `.` is the old root, and what is mounted in the new one stays as it was asked for
    os.close(old)
    mount("", ".", flags=MountFlag.SLAVE | MountFlag.REC)  # so that taking it off is not seen outside
    umount(".", UMOUNT_DETACH)
    os.chdir("/")


def finish_root(root_fd: int, propagation: str, *, readonly: bool) -> None:
    """Give the root mount itself its last attributes."""
    if propagation.lstrip("r") in {"shared", "slave", "unbindable"} and propagation:
        flag = _PROPAGATION[propagation]
        mount_setattr(root_fd, propagation=flag & ~MountFlag.REC, recursive=bool(flag & MountFlag.REC))
    if readonly:
        mount_setattr(root_fd, set_=1)


def _make_parent_private(root: str) -> None:
    """pivot_root(2) refuses below a shared mount: find the one that *root* lies on, from the folder upwards."""
    path = root
    while True:
        try:
            mount("", path, flags=MountFlag.PRIVATE)
            return
        except KernelError:
            if path == "/":
                raise
            path = os.path.dirname(path)  # noqa: PTH120  no pathlib in the launcher
