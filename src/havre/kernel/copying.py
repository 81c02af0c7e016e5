"""A tree copied from one handle to another, for a mount that begins with what the image has there."""

import os
import stat

from havre.kernel.libc import KernelError

_PIECE = 1 << 20
_DEPTH = 64


def copy_tree(source_fd: int, target_fd: int, depth: int = 0) -> None:
    """Copy folders, files and links below *source_fd* into *target_fd*, with owners, modes and times.

    Nothing is followed.
    """
    if depth > _DEPTH:
        raise KernelError.of(40, "copy up a tree deeper than 64 folders")
    reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=source_fd)
    try:
        with os.scandir(reading) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            _copy_one(name, reading, target_fd, depth)
        _copy_owner(os.fstat(reading), target_fd)  # last: what comes into a folder changes its times
    finally:
        os.close(reading)


def _copy_one(name: str, source: int, target: int, depth: int) -> None:
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    elif stat.S_ISDIR(status.st_mode):
        os.mkdir(name, 0o700, dir_fd=target)
        inner = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        old = os.open(name, inner, dir_fd=source)
        new = os.open(name, inner & ~os.O_PATH, dir_fd=target)
        try:
            copy_tree(old, new, depth + 1)
        finally:
            os.close(old)
            os.close(new)
    elif stat.S_ISREG(status.st_mode):
        _copy_file(name, source, target, status)


def _copy_file(name: str, source: int, target: int, status: os.stat_result) -> None:
    old = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    try:
        new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
        try:
            while os.sendfile(new, old, None, _PIECE):
                pass
            _copy_owner(status, new)
        finally:
            os.close(new)
    finally:
        os.close(old)


def _copy_owner(status: os.stat_result, fd: int) -> None:
    os.chown(f"/proc/self/fd/{fd}", status.st_uid, status.st_gid)
    os.chmod(f"/proc/self/fd/{fd}", stat.S_IMODE(status.st_mode))  # noqa: PTH101  no pathlib in the launcher
    os.utime(f"/proc/self/fd/{fd}", ns=(status.st_atime_ns, status.st_mtime_ns))
