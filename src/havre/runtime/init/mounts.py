"""The mounts of the spec, each on a target that is resolved once, inside the root, and held by its handle."""

import errno
import os
import stat

from havre.kernel.copying import copy_tree
from havre.kernel.files import is_device, make_node
from havre.kernel.inroot import make_file_in_root, make_folders_in_root, open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.mounts import (
    AT_FDCWD,
    AT_RECURSIVE,
    OPEN_TREE_CLONE,
    MountAttr,
    MountFlag,
    mount,
    mount_setattr,
    move_mount,
    new_filesystem,
    open_tree,
)
from havre.oci.runtime_spec import Mount
from havre.runtime.errors import NOT_FOUND, StepFailed, strerror
from havre.runtime.init.mount_options import Options, parse_options

_READ_ONLY_EMPTY = int(MountAttr.RDONLY | MountAttr.NOSUID | MountAttr.NODEV | MountAttr.NOEXEC)
_NULL = (1, 3)
_WRONG_KIND = (
    "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? "
    "Check if the specified host path exists and is the expected type"
)
# What programs like lxcfs put over parts of /proc; anything else there would let a container forge what we read.
_PROC_TARGETS = frozenset(
    {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/loadavg",
        "/proc/meminfo",
        "/proc/net/dev",
        "/proc/slabinfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/uptime",
    }
)


def mount_entry(root_fd: int, entry: Mount, prepared_fd: int | None = None) -> None:
    """Mount *entry* inside *root_fd*. *prepared_fd* is its source when the parent had to open it. StepFailed."""
    options = parse_options(entry.options, kind=entry.type)
    _check_target(entry, options)
    try:
        if options.bind:
            _bind(root_fd, entry, options, prepared_fd)
        else:
            _mount_filesystem(root_fd, entry, options)
    except OSError as error:
        failed = f'error mounting "{entry.source}" to rootfs at "{entry.destination}": '
        if error.errno == errno.ENOTDIR:
            raise StepFailed(failed + _WRONG_KIND, NOT_FOUND) from error
        raise StepFailed(failed + told(error)) from error


def told(error: OSError) -> str:
    """The text of *error* with its last part as Go writes it, since Docker's clients look for those words."""
    number = error.errno or 0
    text = str(error) if isinstance(error, KernelError) else str(error.filename or "")
    head = text.removesuffix(os.strerror(number)).removesuffix(": ")
    return f"{head}: {strerror(number)}" if head else strerror(number)


def detached_source(source: str, options: Options) -> int:
    """A detached copy of the mounts at *source*, with their options already set: never writable for a moment."""
    handle = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | (AT_RECURSIVE if options.recursive else 0))
    try:
        if options.tree_set or options.tree_clear:
            mount_setattr(handle, set_=options.tree_set, clear=options.tree_clear, recursive=True)
        if options.attr_set or options.attr_clear:
            mount_setattr(handle, set_=options.attr_set, clear=options.attr_clear)
        if options.propagation:
            mount_setattr(handle, propagation=options.propagation, recursive=options.propagation_recursive)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _check_target(entry: Mount, options: Options) -> None:
    parts = [part for part in entry.destination.split("/") if part not in {"", "."}]
    target = "/" + "/".join(parts)
    if target == "/":
        raise StepFailed(f'error mounting "{entry.source}": the destination is the root itself')
    inside_proc = target.startswith("/proc/") or (target == "/proc" and options.bind)
    if inside_proc and target not in _PROC_TARGETS and not (target == "/proc" and options.recursive):
        raise StepFailed(
            f'error mounting "{entry.source}" to rootfs at "{entry.destination}": '
            f'"{target}" cannot be mounted because it is inside /proc'
        )


def _bind(root_fd: int, entry: Mount, options: Options, prepared_fd: int | None) -> None:
    handle = prepared_fd if prepared_fd is not None else detached_source(entry.source, options)
    try:
        make = make_folders_in_root if stat.S_ISDIR(os.fstat(handle).st_mode) else make_file_in_root
        target = make(root_fd, entry.destination, 0o755)
        try:
            move_mount(handle, target)
        except KernelError as error:
            if make is make_file_in_root and stat.S_ISDIR(os.fstat(target).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
            raise
        finally:
            os.close(target)
    finally:
        os.close(handle)


def _mount_filesystem(root_fd: int, entry: Mount, options: Options) -> None:
    target = folder_of(root_fd, entry)
    try:
        data = ",".join(options.data)
        where = f"/proc/self/fd/{target}"
        kind = "tmpfs" if entry.type == "shm" else entry.type
        if options.flags & MountFlag.REMOUNT:
            mount(entry.source or kind, where, kind, options.flags, data)
            return
        if options.copy_up and kind == "tmpfs":
            _mount_with_copy(target, options)
            return
        mount(entry.source or kind, where, kind, options.flags, data)
        if options.propagation or options.tree_set or options.tree_clear:
            _change_mounted(root_fd, entry.destination, options)
    finally:
        os.close(target)


def folder_of(root_fd: int, entry: Mount) -> int:
    """The target of a file system: proc and sysfs only on a plain folder, where every path check expects them."""
    if entry.type in {"proc", "sysfs"}:
        try:
            handle = open_in_root(root_fd, entry.destination, os.O_PATH | os.O_NOFOLLOW)
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise
        else:
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                return handle
            os.close(handle)
            raise StepFailed(f'filesystem "{entry.type}" must be mounted on ordinary directory')
    return make_folders_in_root(root_fd, entry.destination, 0o755)


def _mount_with_copy(target: int, options: Options) -> None:
    """A tmpfs that begins with what lies below it."""
    words = {key: value or None for key, _, value in (word.partition("=") for word in options.data)}
    made = new_filesystem("tmpfs", words, 0)
    try:
        copy_tree(target, made)
        mount_setattr(made, set_=options.attr_set)
        move_mount(made, target)
    finally:
        os.close(made)


def _change_mounted(root_fd: int, destination: str, options: Options) -> None:
    top = open_in_root(root_fd, destination, os.O_PATH)
    try:
        if options.tree_set or options.tree_clear:
            mount_setattr(top, set_=options.tree_set, clear=options.tree_clear, recursive=True)
        if options.propagation:
            mount_setattr(top, propagation=options.propagation, recursive=options.propagation_recursive)
    finally:
        os.close(top)


def own_null(root_fd: int) -> int:
    """A handle on a true /dev/null whose inode is the container's: root in there may change its owner and mode.

    Where the container's own is not the device 1:3 (an image or a volume may lie in /dev), a node on a file system
    of its own; where mknod(2) is refused, in a user namespace, the host's, which nobody in there can change.
    """
    try:
        handle = open_in_root(root_fd, "/dev/null", os.O_PATH | os.O_NOFOLLOW)
    except KernelError:
        pass
    else:
        if is_device(handle, "c", _NULL):
            return handle
        os.close(handle)
    made = new_filesystem("tmpfs", {"size": "0", "nr_inodes": "2", "mode": "0700"})
    try:
        make_node(made, "null", "c", _NULL, 0o666)
        return os.open("null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=made)
    except KernelError:
        return _hosts_null()
    finally:
        os.close(made)


def _hosts_null() -> int:
    handle = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not is_device(handle, "c", _NULL):
        os.close(handle)
        raise StepFailed("/dev/null of the host is not the device 1:3")
    return handle


def mask_paths(root_fd: int, paths: "list[str]", null_fd: int) -> None:
    """Put /dev/null over each file and an empty read-only folder over each folder of *paths* that exists."""
    empty = -1
    try:
        for path in paths:
            target = _existing(root_fd, path)
            if target < 0:
                continue
            try:
                if not stat.S_ISDIR(os.fstat(target).st_mode):
                    _put_copy(null_fd, target)
                    continue
                if empty < 0:
                    empty = new_filesystem("tmpfs", {"size": "0", "nr_inodes": "1", "mode": "0555"}, _READ_ONLY_EMPTY)
                    move_mount(empty, target)
                else:
                    _put_copy(empty, target)
            finally:
                os.close(target)
    finally:
        if empty >= 0:
            os.close(empty)


def protect_paths(root_fd: int, paths: "list[str]") -> None:
    """Make each of *paths* that exists read-only, with all that is mounted below it."""
    for path in paths:
        target = _existing(root_fd, path)
        if target < 0:
            continue
        try:
            copy = open_tree(target, "", OPEN_TREE_CLONE | AT_RECURSIVE | 0x1000)
            try:
                mount_setattr(copy, set_=int(MountAttr.RDONLY), recursive=True)
                move_mount(copy, target)
            finally:
                os.close(copy)
        finally:
            os.close(target)


def _put_copy(source_fd: int, target_fd: int) -> None:
    copy = open_tree(source_fd, "", OPEN_TREE_CLONE | 0x1000)
    try:
        move_mount(copy, target_fd)
    finally:
        os.close(copy)


def _existing(root_fd: int, path: str) -> int:
    try:
        return open_in_root(root_fd, path, os.O_PATH)
    except KernelError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return -1
        raise
