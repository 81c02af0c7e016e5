"""Taking files and attributes from the tree that a layer stands on."""

import errno
import os
import stat

from havre.kernel.files import make_node
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.budget import BadArchive

_COPY_BYTES = 8 << 20
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def find_folder(below: int, path: bytes) -> int | None:
    """A handle on the folder *path* of the tree *below*, or None."""
    try:
        return open_in_root(below, path, os.O_RDONLY | os.O_DIRECTORY)
    except KernelError as error:
        if error.errno in _ABSENT:
            return None
        raise


def copy_entry(below: int, head: bytes, name: bytes, target: int) -> None:
    """Make *name* in the folder *target* as *head*/*name* is in the tree *below*. Raises BadArchive if missing."""
    missing = BadArchive(f"archive has a hard link to {(head + b'/' + name)[:160]!r}, which does not exist")
    folder = find_folder(below, head or b".")
    if folder is None:
        raise missing
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            _copy_file(folder, name, target)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=folder), name, dir_fd=target)
            _copy_owner(status, name, target)
        elif stat.S_ISDIR(status.st_mode):
            raise BadArchive(f"archive has a hard link to the folder {name[:80]!r}")
        else:
            kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else "p"
            device = (os.major(status.st_rdev), os.minor(status.st_rdev))
            make_node(target, name, kind, device, stat.S_IMODE(status.st_mode))
            _copy_owner(status, name, target)
    except FileNotFoundError as error:
        raise missing from error
    finally:
        os.close(folder)


def copy_attributes(source: int, target: int) -> None:
    """Owner, extended attributes, mode and times of one open file for another."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    for key in os.listxattr(source):
        if not key.startswith("trusted.overlay."):
            os.setxattr(target, key, os.getxattr(source, key))
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_file(folder: int, name: bytes, target: int) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        copy = os.open(name, _NEW_FILE, 0o600, dir_fd=target)
        try:
            while os.sendfile(copy, source, None, _COPY_BYTES):
                pass
            copy_attributes(source, copy)
        finally:
            os.close(copy)
    finally:
        os.close(source)


def _copy_owner(status: os.stat_result, name: bytes, target: int) -> None:
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)
