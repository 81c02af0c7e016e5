"""The calling process and its children: prctl(2), pidfds, limits, keyring, descriptors, exec."""

import ctypes
import os
from functools import cache

from havre.kernel.libc import KernelError, StrPath, by_machine, libc, path_bytes, shown, syscall

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLOSE_RANGE_CLOEXEC = 4
RLIM_INFINITY = 2**64 - 1

_PIDFD_SEND_SIGNAL, _PIDFD_OPEN, _CLOSE_RANGE, _PIDFD_GETFD = 424, 434, 436, 438
_PRLIMIT64 = by_machine(x86_64=302, aarch64=261)
_KEYCTL = by_machine(x86_64=250, aarch64=219)
_EXECVEAT = by_machine(x86_64=322, aarch64=281)
_KEYCTL_JOIN_SESSION, _KEYCTL_SETPERM = 1, 5
_AT_EMPTY_PATH = 0x1000
_LAST_FD = 0xFFFFFFFF

RLIMITS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}
"""Numbers of the limits by their OCI names, equal on x86 and arm."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_Pair = ctypes.c_uint64 * 2
_prctl = libc["prctl"]
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


_mallopt = getattr(libc, "mallopt", None)


def prctl(option: int, value: int, *, tried: str) -> int:
    """Change one attribute of this process by a number."""
    result: int = _prctl(option, value, 0, 0, 0)
    if result < 0:
        raise KernelError.last(tried)
    return result


def set_dumpable(wanted: bool) -> None:  # noqa: FBT001  a switch of prctl(2), named by the function
    """PR_SET_DUMPABLE: whether others of the same user may look into this process."""
    prctl(PR_SET_DUMPABLE, int(wanted), tried="set dumpable")


def set_no_new_privileges() -> None:
    """PR_SET_NO_NEW_PRIVS."""
    prctl(PR_SET_NO_NEW_PRIVS, 1, tried="set no_new_privs")


def set_subreaper() -> None:
    """PR_SET_CHILD_SUBREAPER: orphans below this process become its children."""
    prctl(PR_SET_CHILD_SUBREAPER, 1, tried="set child subreaper")


def set_keep_capabilities(wanted: bool) -> None:  # noqa: FBT001  as set_dumpable
    """PR_SET_KEEPCAPS: whether permitted capabilities outlive a change from user 0."""
    prctl(PR_SET_KEEPCAPS, int(wanted), tried="set keepcaps")


def set_parent_death_signal(number: int) -> None:
    """PR_SET_PDEATHSIG: the signal sent to this process when the thread that made it ends."""
    prctl(PR_SET_PDEATHSIG, number, tried=f"set parent death signal {number}")


def set_name(name: str) -> None:
    """PR_SET_NAME: what `ps -o comm` shows, cut to fifteen bytes."""
    raw = ctypes.create_string_buffer(path_bytes(name)[:15], 16)
    prctl(PR_SET_NAME, ctypes.addressof(raw), tried=f"set process name {name!r}")


def pidfd_open(pid: int) -> int:
    """Open a handle on process *pid*, close-on-exec; ESRCH when there is none."""
    return syscall(_PIDFD_OPEN, pid, 0, tried=f"pidfd_open of process {pid}")


def pidfd_send_signal(pidfd: int, number: int) -> None:
    """Send signal *number*. ESRCH when the process has ended and was waited for."""
    syscall(_PIDFD_SEND_SIGNAL, pidfd, number, None, 0, tried=f"send signal {number}")


def pidfd_getfd(pidfd: int, target_fd: int) -> int:
    """Copy descriptor *target_fd* of another process; close-on-exec."""
    return syscall(_PIDFD_GETFD, pidfd, target_fd, 0, tried=f"copy descriptor {target_fd} of another process")


def mark_close_on_exec(first: int = 3) -> None:
    """close_range(2) with CLOSE_RANGE_CLOEXEC: nothing from *first* on survives the next execve."""
    syscall(_CLOSE_RANGE, first, _LAST_FD, CLOSE_RANGE_CLOEXEC, tried=f"close_range from {first} on exec")


def close_range(first: int, last: int = _LAST_FD) -> None:
    """Close all descriptors from *first* to *last*."""
    syscall(_CLOSE_RANGE, first, last, 0, tried=f"close_range {first} to {last}")


def get_rlimit(name: str, pid: int = 0) -> tuple[int, int]:
    """(soft, hard) of the limit with OCI *name*; RLIM_INFINITY is no limit. KeyError for an unknown name."""
    pair = _Pair()
    syscall(_PRLIMIT64, pid, RLIMITS[name], None, pair, tried=f"get {name} of process {pid}")
    return pair[0], pair[1]


def set_rlimit(name: str, soft: int, hard: int, pid: int = 0) -> None:
    """prlimit(2) by OCI *name*; numbers as the kernel's 64 bits (RLIM_INFINITY is none). KeyError for an unknown name.

    EPERM when *hard* is above the present one and CAP_SYS_RESOURCE is missing.
    """
    pair = _Pair(soft, hard)
    syscall(_PRLIMIT64, pid, RLIMITS[name], pair, None, tried=f"set {name} to soft {soft}, hard {hard}")


def join_session_keyring(name: str) -> int:
    """keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a fresh session keyring called *name*, its serial number."""
    return syscall(_KEYCTL, _KEYCTL_JOIN_SESSION, path_bytes(name), tried=f"join session keyring {name}")


def set_key_permissions(key: int, permissions: int) -> None:
    """keyctl(2) KEYCTL_SETPERM."""
    syscall(_KEYCTL, _KEYCTL_SETPERM, key, permissions, tried=f"set permissions {permissions:#x} of key {key}")


def execveat(fd: int, argv: "list[str]", env: "list[str]", path: StrPath = "") -> None:
    """Become the program *path* below *fd*, or *fd* itself; returns only by raising."""
    arguments = _strings(argv)
    environment = _strings(env)
    flags = 0 if path else _AT_EMPTY_PATH
    tried = f"exec {shown(path) if path else argv[0]}"
    syscall(_EXECVEAT, fd, path_bytes(path), arguments, environment, flags, tried=tried)


def start_time(pid: int, proc_fd: int | None = None) -> int | None:
    """When *pid* began, in clock ticks since boot (field 22 of /proc/PID/stat); None when there is no such process.

    *proc_fd* is a checked /proc handle; without it the mounted /proc is believed.
    """
    name = f"{pid}/stat" if proc_fd is not None else f"/proc/{pid}/stat"
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
        try:
            text = os.read(handle, 4096)
        finally:
            os.close(handle)
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"read {name}") from error
    return int(text.rpartition(b")")[2].split()[19])


@cache
def boot_id() -> str:
    """The random id of this boot: numbers of processes mean nothing beyond it."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:  # noqa: PTH123  pathlib is not for the launcher
        return file.read(64).decode("ascii").strip()


def _strings(values: "list[str]") -> "ctypes.Array[ctypes.c_char_p]":
    """A NULL-terminated array of C strings."""
    return (ctypes.c_char_p * (len(values) + 1))(*(path_bytes(value) for value in values), None)


def keep_freed_memory(limit: int) -> None:
    """Let the allocator keep up to *limit* freed bytes: mallopt(3). A C library without it does as it likes.

    Who takes and frees large pieces all the time otherwise gives their pages back and faults them in again each time.
    """
    if _mallopt is not None:
        _mallopt(_M_TRIM_THRESHOLD, limit)
        _mallopt(_M_MMAP_THRESHOLD, limit)
