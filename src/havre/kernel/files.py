"""Small calls on files that Python's os module lacks or makes unsafe: fstatfs, syncfs, sealed memory, device nodes."""

import ctypes
import fcntl
import os
import stat

from havre.kernel.libc import KernelError, StrPath, libc, path_bytes, shown

PROC_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572
CGROUP_MAGIC = 0x27E0EB
CGROUP2_MAGIC = 0x63677270
TMPFS_MAGIC = 0x01021994
DEVPTS_MAGIC = 0x1CD1
OVERLAY_MAGIC = 0x794C7630

_F_ADD_SEALS, _F_GET_SEALS = 1033, 1034
SEALS = 0x1 | 0x2 | 0x4 | 0x8
"""F_SEAL_SEAL, SHRINK, GROW and WRITE: nobody can change the content again, nor take a seal off."""

_MODES = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
_STATFS_SIZE = 120

_fstatfs = libc.fstatfs
_fstatfs.argtypes = (ctypes.c_int, ctypes.c_char_p)
_syncfs = libc.syncfs
_syncfs.argtypes = (ctypes.c_int,)
_sync_file_range = libc.sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_SYNC_FILE_RANGE_WRITE = 2


def filesystem_magic(fd: int) -> int:
    """The `f_type` of fstatfs(2)."""
    answer = ctypes.create_string_buffer(_STATFS_SIZE)
    if _fstatfs(fd, answer) != 0:
        raise KernelError.last(f"fstatfs of descriptor {fd}")
    return int.from_bytes(answer.raw[:8], "little") & 0xFFFFFFFF


def syncfs(fd: int) -> None:
    """Return when everything written to the file system that *fd* lies on is on the disk."""
    if _syncfs(fd) != 0:
        raise KernelError.last(f"syncfs of descriptor {fd}")


def begin_writeback(fd: int) -> None:
    """Have what was written to *fd* begin its way to the disk: sync_file_range(2). Nothing is promised but speed.

    A later fsync or syncfs then has less to wait for; a file system that cannot do it does nothing.
    """
    _sync_file_range(fd, 0, 0, _SYNC_FILE_RANGE_WRITE)


def sealed_memory(name: str, data: bytes) -> int:
    """A memfd holding *data* that nobody can change any more: memfd_create(2), F_ADD_SEALS; close-on-exec."""
    try:
        handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"memfd_create {name}") from error
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        fcntl.fcntl(handle, _F_ADD_SEALS, SEALS)
    except OSError as error:
        os.close(handle)
        raise KernelError.of(error.errno or 0, f"seal {len(data)} bytes of {name}") from error
    return handle


def is_sealed(fd: int) -> bool:
    """Whether *fd* is memory that carries all of SEALS."""
    try:
        return fcntl.fcntl(fd, _F_GET_SEALS) & SEALS == SEALS
    except OSError:
        return False  # EINVAL: not a memfd


def make_node(folder_fd: int, name: StrPath, kind: str, device: tuple[int, int], mode: int) -> None:
    """mknodat(2) of OCI device type *kind* (c, u, b, p) with number *device*, exactly *mode* whatever the umask.

    *name* is one component below *folder_fd*; EEXIST when it is taken.
    """
    raw = path_bytes(name)
    number = 0 if kind == "p" else os.makedev(*device)
    try:
        os.mknod(raw, _MODES[kind] | (mode & 0o7777), number, dir_fd=folder_fd)
        handle = os.open(raw, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"mknod {shown(name)} {kind} {device[0]}:{device[1]}") from error
    try:
        os.chmod(f"/proc/self/fd/{handle}", mode & 0o7777)  # noqa: PTH101  no pathlib in the launcher
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"chmod {shown(name)} to {mode:o}") from error
    finally:
        os.close(handle)


def is_device(fd: int, kind: str, device: tuple[int, int]) -> bool:
    """Whether the open file *fd* is the device *kind* (c, u or b) with number *device*."""
    status = os.fstat(fd)
    return stat.S_IFMT(status.st_mode) == _MODES[kind] and status.st_rdev == os.makedev(*device)
