"""What lies in /dev: nodes, links, the console. All by handle, made before anything of the user's is in there."""

import errno
import os
import stat

from havre.kernel.files import make_node
from havre.kernel.inroot import make_folders_in_root, open_in_root, open_parent_in_root
from havre.kernel.libc import KernelError
from havre.kernel.mounts import OPEN_TREE_CLONE, move_mount, open_tree
from havre.kernel.pty import open_pty
from havre.oci.runtime_spec import Device
from havre.runtime.defaults import default_devices
from havre.runtime.errors import StepFailed
from havre.runtime.init.mounts import told

_LINKS = (
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
)
_DEFAULTS = tuple(default_devices())
_EMPTY_PATH = 0x1000


def fill_dev(dev_fd: int, devices: "list[Device]", *, by_bind: bool) -> None:
    """Put the default nodes, links and those of *devices* that lie in /dev itself into the folder *dev_fd*.

    *by_bind* is for a user namespace, where mknod(2) is refused: the host's own nodes are bound.
    """
    own = {device.path for device in devices}
    for device in _DEFAULTS:
        if device.path not in own:
            _make(dev_fd, device.path.removeprefix("/dev/"), device, by_bind=by_bind)
    for target, name in _LINKS:
        try:
            os.symlink(target, name, dir_fd=dev_fd)
        except FileExistsError:
            _check_link(dev_fd, name, target)


def make_devices(root_fd: int, devices: "list[Device]", *, by_bind: bool) -> None:
    """Make the nodes that the spec names, wherever they are."""
    for device in devices:
        try:
            folder = device.path.rpartition("/")[0]
            if folder:
                os.close(make_folders_in_root(root_fd, folder, 0o755))
            parent, name = open_parent_in_root(root_fd, device.path)
            try:
                _make(parent, os.fsdecode(name), device, by_bind=by_bind)
            finally:
                os.close(parent)
        except OSError as error:
            raise StepFailed(f"error creating device {device.path}: {told(error)}") from error


def _make(folder_fd: int, name: str, device: Device, *, by_bind: bool) -> None:
    if by_bind:
        _bind_node(folder_fd, name, device)
        return
    mode = 0o666 if device.file_mode is None else device.file_mode
    try:
        make_node(folder_fd, name, device.type, (device.major, device.minor), mode)
    except KernelError as error:
        if error.errno != errno.EEXIST:
            raise
        _check_node(folder_fd, name, device)
        return
    if device.uid or device.gid:
        os.chown(name, device.uid or 0, device.gid or 0, dir_fd=folder_fd, follow_symlinks=False)


def _check_node(folder_fd: int, name: str, device: Device) -> None:
    """A node that was there already must be the one that is wanted."""
    status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    if device.type != "p" and status.st_rdev != os.makedev(device.major, device.minor):
        raise StepFailed(f"{device.path} exists and is not the device {device.major}:{device.minor}")


def _check_link(dev_fd: int, name: str, target: str) -> None:
    """A link that was there already must lead where ours would; a node called ptmx will do as well."""
    try:
        there = os.readlink(name, dir_fd=dev_fd)
    except OSError:
        if name == "ptmx":
            return
        raise
    if there != target:
        raise StepFailed(f"/dev/{name} exists and leads to {there!r}")


def _bind_node(folder_fd: int, name: str, device: Device) -> None:
    node = os.open(device.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(node)
        if status.st_rdev != os.makedev(device.major, device.minor):
            raise StepFailed(f"{device.path} of the host is not the device {device.major}:{device.minor}")
        _bind_over_file(node, folder_fd, name)
    finally:
        os.close(node)


def _bind_over_file(source_fd: int, folder_fd: int, name: str) -> None:
    """Bind what *source_fd* is over the file *name*, made afresh or found as a plain file or device, no link."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o666, dir_fd=folder_fd))
    except FileExistsError:
        pass  # looked at below
    target = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        kind = os.fstat(target).st_mode
        if stat.S_ISLNK(kind) or stat.S_ISDIR(kind):
            raise StepFailed(f"/dev/{name} is a link or a folder: nothing can be bound over it")
        copy = open_tree(source_fd, "", OPEN_TREE_CLONE | _EMPTY_PATH)
        try:
            move_mount(copy, target)
        finally:
            os.close(copy)
    finally:
        os.close(target)


def open_console(root_fd: int) -> tuple[int, int]:
    """(master, peer) of a terminal of the container's own devpts; of the host's when it has none."""
    try:
        pts = open_in_root(root_fd, "/dev/pts", os.O_PATH | os.O_DIRECTORY)
    except KernelError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
            raise
        return open_pty()
    try:
        return open_pty(pts)
    finally:
        os.close(pts)


def bind_console(root_fd: int, peer_fd: int) -> None:
    """Bind the terminal over /dev/console."""
    try:
        dev = open_in_root(root_fd, "/dev", os.O_PATH | os.O_DIRECTORY)
    except KernelError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return
        raise
    try:
        _bind_over_file(peer_fd, dev, "console")
    finally:
        os.close(dev)
