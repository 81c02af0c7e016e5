"""Namespaces: unshare(2), setns(2), clone3(2), and the settings of the namespaces the caller is in."""

import ctypes
import fcntl
import os
import signal
import struct

from havre.kernel.libc import KernelError, by_machine, flag_names, libc, path_bytes

_CLONE3 = 435
_SIGCHLD = int(signal.SIGCHLD)
_CLONE = by_machine(x86_64=56, aarch64=220)
_AF_INET, _SOCK_DGRAM_CLOEXEC = 2, 2 | 0x80000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_unshare = libc.unshare
_unshare.argtypes = (ctypes.c_int,)
_setns = libc.setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)
_sethostname = libc.sethostname
_sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_setdomainname = libc.setdomainname
_setdomainname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_socket = libc.socket
_socket.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)
# The GIL stays held over the call, as in os.fork(): a child must not find it in another thread's hands.
_held_syscall = ctypes.PyDLL(None, use_errno=True)["syscall"]
_held_syscall.argtypes = (ctypes.c_long, ctypes.c_void_p, ctypes.c_size_t)
_held_syscall.restype = ctypes.c_long


class CLONE:
    """Flags of clone3(2); the NEW* ones also of unshare(2) and setns(2)."""

    NONE = 0
    NEWTIME = 0x80
    PIDFD = 0x1000
    PARENT = 0x8000
    NEWNS = 0x20000
    NEWCGROUP = 0x2000000
    NEWUTS = 0x4000000
    NEWIPC = 0x8000000
    NEWUSER = 0x10000000
    NEWPID = 0x20000000
    NEWNET = 0x40000000
    CLEAR_SIGHAND = 0x100000000
    INTO_CGROUP = 0x200000000


BY_NAME = {
    "user": CLONE.NEWUSER,
    "mount": CLONE.NEWNS,
    "pid": CLONE.NEWPID,
    "network": CLONE.NEWNET,
    "ipc": CLONE.NEWIPC,
    "uts": CLONE.NEWUTS,
    "cgroup": CLONE.NEWCGROUP,
    "time": CLONE.NEWTIME,
}
"""Namespace types of the OCI runtime specification."""

PROC_NAME = {
    "user": "user",
    "mount": "mnt",
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
    "time": "time",
}
"""The file of each namespace type in /proc/PID/ns."""


class _CloneArgs(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


def unshare(flags: int) -> None:
    """Leave the namespaces that *flags* name for fresh ones."""
    if _unshare(flags) != 0:
        raise KernelError.last(f"unshare {flag_names(CLONE, flags)}")


def setns(fd: int, flags: int) -> None:
    """Join the namespace that *fd* is, or with a pidfd those of that process that *flags* name."""
    if _setns(fd, flags) != 0:
        raise KernelError.last(f"setns {flag_names(CLONE, flags)}")


def clone3(flags: int, cgroup_fd: int | None = None) -> tuple[int, int]:
    """Fork with *flags*: (pid, pidfd) in the parent, (0, -1) in the child. Only for a process of one thread.

    The hooks of os.fork() do not run: see `fork_bare`. The child is born in the cgroup whose folder *cgroup_fd* is.
    """
    pidfd = ctypes.c_int(-1)
    args = _CloneArgs(
        flags=flags | CLONE.PIDFD | (0 if cgroup_fd is None else CLONE.INTO_CGROUP),
        pidfd=ctypes.addressof(pidfd),
        exit_signal=0 if flags & CLONE.PARENT else signal.SIGCHLD,  # with PARENT it is the caller's own: clone(2)
        cgroup=cgroup_fd or 0,
    )
    pid: int = _held_syscall(_CLONE3, ctypes.addressof(args), ctypes.sizeof(args))
    if pid < 0:
        raise KernelError.of(ctypes.get_errno(), f"clone3 {flag_names(CLONE, flags)}")
    return (pid, pidfd.value) if pid else (0, -1)


def fork_bare() -> int:
    """fork(2) and nothing else: what os.fork() returns, without the hooks of the interpreter and the modules.

    The hooks mend what other threads may have left halfway; a process that has never had another thread needs none,
    and without them the child dirties a third of the pages. Such a child goes on with what it holds: it may fork
    again in any way, but must not start threads.
    """
    pid: int = _held_syscall(_CLONE, _SIGCHLD, 0)  # not clone3(2), which filters of system calls deny
    if pid < 0:
        raise KernelError.of(ctypes.get_errno(), "fork")
    return pid


def open_namespace(proc_fd: int, pid: int, kind: str) -> int:
    """A handle on the namespace of OCI type *kind* of process *pid*, by a checked /proc handle."""
    name = f"{pid}/ns/{PROC_NAME[kind]}"
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"open namespace {name}") from error


def set_hostname(name: str) -> None:
    """sethostname(2)."""
    raw = path_bytes(name)
    if _sethostname(raw, len(raw)) != 0:
        raise KernelError.last(f"sethostname {name!r}")


def set_domainname(name: str) -> None:
    """setdomainname(2)."""
    raw = path_bytes(name)
    if _setdomainname(raw, len(raw)) != 0:
        raise KernelError.last(f"setdomainname {name!r}")


def set_loopback_up() -> None:
    """Bring `lo` of the caller's network namespace up: netdevice(7)."""
    handle = _socket(_AF_INET, _SOCK_DGRAM_CLOEXEC, 0)
    if handle < 0:
        raise KernelError.last("socket for interface lo")
    try:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack_from("h", fcntl.ioctl(handle, _SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))
    except OSError as error:
        raise KernelError.of(error.errno or 0, "set interface lo up") from error
    finally:
        os.close(handle)
