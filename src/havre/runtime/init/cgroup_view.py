"""What a container sees at /sys/fs/cgroup: its own groups and nothing above them."""

import os

from havre.kernel.cgroups import Cgroups, ContainerView
from havre.kernel.inroot import make_folders_in_root
from havre.kernel.mounts import (
    AT_FDCWD,
    OPEN_TREE_CLONE,
    MountAttr,
    mount_setattr,
    move_mount,
    new_filesystem,
    open_tree,
)
from havre.oci.runtime_spec import Mount
from havre.runtime.errors import StepFailed
from havre.runtime.init.mount_options import parse_options
from havre.runtime.init.mounts import told


def open_views(cgroups: Cgroups, path: str) -> "list[tuple[ContainerView, int]]":
    """Each entry with a detached mount of the group's own folder; -1 for links. The caller closes them."""
    views = cgroups.mounts_for_container(path)
    return [(view, -1 if view.link else open_tree(AT_FDCWD, view.source, OPEN_TREE_CLONE)) for view in views]


def mount_cgroups(root_fd: int, entry: Mount, views: "list[tuple[ContainerView, int]]") -> None:
    """Mount *views* at the target of *entry*: one on v2, a tmpfs of folders and links on v1."""
    options = parse_options(entry.options)
    readonly = options.attr_set & int(MountAttr.RDONLY)
    attributes = options.attr_set or int(MountAttr.NOSUID | MountAttr.NODEV | MountAttr.NOEXEC)
    try:
        target = make_folders_in_root(root_fd, entry.destination, 0o755)
        try:
            if len(views) == 1 and not views[0][0].name:
                _attach(views[0][1], target, attributes)
                return
            _mount_folders(target, views, attributes)
        finally:
            os.close(target)
        if readonly:
            _protect(root_fd, entry.destination)
    except OSError as error:
        raise StepFailed(f'error mounting "cgroup" to rootfs at "{entry.destination}": {told(error)}') from error


def _mount_folders(target: int, views: "list[tuple[ContainerView, int]]", attributes: int) -> None:
    made = new_filesystem("tmpfs", {"mode": "755"}, attributes & ~int(MountAttr.RDONLY))
    try:
        move_mount(made, target)
        for view, handle in views:
            if view.link:
                os.symlink(view.link, view.name, dir_fd=made)
                continue
            os.mkdir(view.name, 0o755, dir_fd=made)
            folder = os.open(view.name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=made)
            try:
                _attach(handle, folder, attributes)
            finally:
                os.close(folder)
    finally:
        os.close(made)


def _attach(handle: int, target: int, attributes: int) -> None:
    mount_setattr(handle, set_=attributes)
    move_mount(handle, target)


def _protect(root_fd: int, destination: str) -> None:
    top = make_folders_in_root(root_fd, destination, 0o755)
    try:
        mount_setattr(top, set_=int(MountAttr.RDONLY))
    finally:
        os.close(top)
