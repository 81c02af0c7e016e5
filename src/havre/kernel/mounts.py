"""mount(2), umount2(2), pivot_root(2) and the descriptor-based mount calls, one function each."""

import ctypes
import os

from havre.kernel.libc import KernelError, StrPath, by_machine, flag_names, libc, path_bytes, shown, syscall

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100
OPEN_TREE_CLONE = 1
UMOUNT_FORCE = 1
UMOUNT_DETACH = 2
UMOUNT_NOFOLLOW = 8
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40

_PIVOT_ROOT = by_machine(x86_64=155, aarch64=41)
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _FSPICK, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 433, 442
_LOG_LIMIT = 4096

_mount = libc.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_umount2 = libc.umount2
_umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


class MountFlag:
    """Flags of mount(2): plain numbers, since joining members of an enum costs more than some of the calls."""

    NONE = 0
    RDONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    SYNCHRONOUS = 16
    REMOUNT = 32
    MANDLOCK = 64
    DIRSYNC = 128
    NOSYMFOLLOW = 256
    NOATIME = 1024
    NODIRATIME = 2048
    BIND = 4096
    MOVE = 8192
    REC = 16384
    SILENT = 32768
    POSIXACL = 1 << 16
    UNBINDABLE = 1 << 17
    PRIVATE = 1 << 18
    SLAVE = 1 << 19
    SHARED = 1 << 20
    RELATIME = 1 << 21
    I_VERSION = 1 << 23
    STRICTATIME = 1 << 24
    LAZYTIME = 1 << 25


class MountAttr:
    """Attributes of mount_setattr(2) and fsmount(2)."""

    NONE = 0
    RDONLY = 0x1
    NOSUID = 0x2
    NODEV = 0x4
    NOEXEC = 0x8
    ATIME = 0x70
    NOATIME = 0x10
    STRICTATIME = 0x20
    NODIRATIME = 0x80
    IDMAP = 0x100000
    NOSYMFOLLOW = 0x200000


class FsConfig:
    """Commands of fsconfig(2)."""

    SET_FLAG = 0
    SET_STRING = 1
    SET_BINARY = 2
    SET_PATH = 3
    SET_PATH_EMPTY = 4
    SET_FD = 5
    CREATE = 6
    RECONFIGURE = 7


class _Attr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount(source: StrPath, target: StrPath, kind: str = "", flags: int = 0, data: StrPath = "") -> None:
    """Attach, bind, move, remount or change the propagation of a mount, as *flags* say."""
    if _mount(path_bytes(source), path_bytes(target), kind.encode(), flags, path_bytes(data)) != 0:
        what = f"mount {kind or flag_names(MountFlag, flags)} {shown(source)} on {shown(target)}"
        raise KernelError.last(f"{what} ({shown(data)})" if data else what)


def umount(target: StrPath, flags: int = 0) -> None:
    """umount2(2)."""
    if _umount2(path_bytes(target), flags) != 0:
        raise KernelError.last(f"umount {shown(target)}")


def pivot_root(new_root: StrPath, put_old: StrPath) -> None:
    """Make *new_root* the root of this mount namespace and move the old one to *put_old*."""
    tried = f"pivot_root to {shown(new_root)}"
    syscall(_PIVOT_ROOT, path_bytes(new_root), path_bytes(put_old), tried=tried)


def open_tree(folder_fd: int, path: StrPath, flags: int = 0) -> int:
    """Open a handle on a mount, or with OPEN_TREE_CLONE on a detached copy of it; close-on-exec."""
    tried = f"open_tree {shown(path)} below descriptor {folder_fd}"
    return syscall(_OPEN_TREE, folder_fd, path_bytes(path), flags | os.O_CLOEXEC, tried=tried)


def move_mount(from_fd: int, to_fd: int, to_path: StrPath = "") -> None:
    """Attach the mount *from_fd* at *to_path* below *to_fd* (at *to_fd* itself when empty)."""
    target = path_bytes(to_path)
    flags = MOVE_MOUNT_F_EMPTY_PATH | (0 if target else MOVE_MOUNT_T_EMPTY_PATH)
    tried = f"move_mount to {shown(to_path)} below descriptor {to_fd}"
    syscall(_MOVE_MOUNT, from_fd, b"", to_fd, target, flags, tried=tried)


def fsopen(kind: str) -> int:
    """Open a context for making a new file system of *kind*; close-on-exec."""
    return syscall(_FSOPEN, path_bytes(kind), 1, tried=f"fsopen {kind}")


def fspick(folder_fd: int, path: StrPath = "") -> int:
    """Open a context for reconfiguring the mounted file system at *path*; close-on-exec."""
    flags = 1 | (0 if path else 8)  # FSPICK_CLOEXEC, FSPICK_EMPTY_PATH
    return syscall(_FSPICK, folder_fd, path_bytes(path), flags, tried=f"fspick {shown(path)}")


def fsconfig(context_fd: int, command: int, key: str = "", value: StrPath | None = None, number: int = 0) -> None:
    """Set an option (*value*, or *number* for a descriptor) or run a command; errors carry the file system's words."""
    raw_key = path_bytes(key) if key else None
    raw_value = None if value is None else path_bytes(value)
    try:
        syscall(_FSCONFIG, context_fd, command, raw_key, raw_value, number, tried=f"fsconfig {_option(key, value)}")
    except KernelError as error:
        if said := _context_log(context_fd):
            raise KernelError(error.errno, f"{error} ({said})") from None
        raise


def fsmount(context_fd: int, attributes: int = 0) -> int:
    """Open a handle on a detached mount of the file system made in *context_fd*; close-on-exec."""
    return syscall(_FSMOUNT, context_fd, 1, attributes, tried="fsmount")


def new_filesystem(kind: str, options: "dict[str, str | None]", attributes: int = 0) -> int:
    """A detached mount of a new file system of *kind*: fsopen, fsconfig for each option (None: a flag), fsmount.

    Its source, what mountinfo(5) shows in front of the options, is *kind* too, as `mount -t KIND KIND` has it.
    """
    context = fsopen(kind)
    try:
        fsconfig(context, FsConfig.SET_STRING, "source", kind)
        for key, value in options.items():
            fsconfig(context, FsConfig.SET_FLAG if value is None else FsConfig.SET_STRING, key, value)
        fsconfig(context, FsConfig.CREATE)
        return fsmount(context, attributes)
    finally:
        os.close(context)


def mount_setattr(
    fd: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, userns_fd: int = 0, recursive: bool = False
) -> None:
    """Change attributes of the mount that *fd* is a handle of; *propagation* is a MountFlag."""
    if set_ & (MountAttr.NOATIME | MountAttr.STRICTATIME):
        clear |= MountAttr.ATIME  # the access time mode is a field, not a bit: mount_setattr(2)
    attr = _Attr(set_, clear, propagation, userns_fd)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    tried = f"mount_setattr +{int(set_):#x} -{int(clear):#x} propagation {int(propagation):#x} on descriptor {fd}"
    syscall(_MOUNT_SETATTR, fd, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr), tried=tried)


def _option(key: str, value: StrPath | None) -> str:
    if not key:
        return "create"
    return key if value is None else f"{key}={shown(value)}"


def _context_log(context_fd: int) -> str:
    """What the file system wrote into its context's log: lines like `e overlay: …`."""
    said = []
    try:
        while line := os.read(context_fd, _LOG_LIMIT):
            said.append(line.decode(errors="replace").strip().partition(" ")[2])
    except OSError:
        pass  # ENODATA: read to the end
    return "; ".join(said)
