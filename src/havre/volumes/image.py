"""The content of a volume that may not grow past a size: a file system of its own in one sparse file.

The file lies beside the volume's folder; it is made with the volume, shown by a loop device and mounted on the folder
while the volume is used. ext4(5), mke2fs(8), resize2fs(8).
"""

import errno
import fcntl
import os
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from havre.base.errors import Conflict, InternalError, NotSupported
from havre.kernel.libc import KernelError
from havre.kernel.loop import attach_loop, loop_path, notice_size
from havre.kernel.mounts import UMOUNT_DETACH, MountFlag, mount, umount

IMAGE: Final = "image"
"""The name of the file, beside the folder."""

_BLOCK_BYTES: Final = 4096
_MAKE: Final = ("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-b", str(_BLOCK_BYTES))
_LAZY: Final = ("-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1")
_CHECK: Final = ("e2fsck", "-f", "-p")
_MENDED: Final = 1  # e2fsck's exit code when it found something and put it right
_ENLARGE: Final = ("resize2fs",)
_RESIZE_FS: Final = 0x40086610  # EXT4_IOC_RESIZE_FS
_FOUND: Final = "lost+found"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


def make_image(folder: Path, size_bytes: int) -> None:
    """A new, empty file system of *size_bytes* for *folder*. Raises NotSupported, InternalError."""
    image = folder.parent / IMAGE
    handle = os.open(image, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(handle, size_bytes)
        _run((*_MAKE, *_LAZY, str(image)))
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        mount_image(folder)
    except KernelError as failed:
        raise NotSupported(f"a volume with a size needs loop devices and ext4: {failed}") from failed
    try:
        (folder / _FOUND).rmdir()  # programs such as initdb want an empty folder
    finally:
        umount(folder, UMOUNT_DETACH)


def mount_image(folder: Path) -> None:
    """Mount the file system on *folder*; the loop device goes with the mount. Raises KernelError, OSError."""
    with ExitStack() as undo:
        handle = os.open(folder.parent / IMAGE, os.O_RDWR | os.O_CLOEXEC)
        undo.callback(os.close, handle)
        path, device = attach_loop(handle)
        undo.callback(os.close, device)
        mount(path, folder, "ext4", MountFlag.NODEV)


def grow(folder: Path, size_bytes: int, *, mounted: bool) -> None:
    """Make the file system larger. Raises Conflict for a *mounted* one where that is not allowed, InternalError."""
    image = folder.parent / IMAGE
    os.truncate(image, size_bytes)
    if not mounted:
        _run((*_CHECK, str(image)), fine=(0, _MENDED))
        _run((*_ENLARGE, str(image)))
        return
    try:
        _grow_mounted(folder, size_bytes)
    except OSError as failed:
        if failed.errno == errno.EPERM:  # without CAP_SYS_RESOURCE
            raise Conflict("this host lets a volume grow only while no container uses it") from failed
        raise InternalError(f"cannot resize {image}: {failed}") from failed


def taken_bytes(folder: Path) -> int:
    """What the file system takes of the disk below it."""
    return (folder.parent / IMAGE).stat().st_blocks * 512


def _grow_mounted(folder: Path, size_bytes: int) -> None:
    with ExitStack() as undo:
        device = os.open(loop_path(folder.stat().st_dev), os.O_RDWR | os.O_CLOEXEC)
        undo.callback(os.close, device)
        notice_size(device)
        handle = os.open(folder, _FOLDER)
        undo.callback(os.close, handle)
        fcntl.ioctl(handle, _RESIZE_FS, struct.pack("=Q", size_bytes // _BLOCK_BYTES))


def _run(command: tuple[str, ...], fine: tuple[int, ...] = (0,)) -> None:
    """Run a program of e2fsprogs, which gets nothing of ours but the image's path."""
    quiet = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1, 2)]
    places = [f"{folder}/{command[0]}" for folder in _PATH.split(":")]
    program = next((place for place in places if os.access(place, os.X_OK)), "")
    if not program:
        raise NotSupported(f"a volume with a size needs the program {command[0]} (e2fsprogs)")
    pid = os.posix_spawn(program, command, {"PATH": _PATH}, file_actions=quiet)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in fine:
        raise InternalError(f"{' '.join(command)} ended with {code}")
