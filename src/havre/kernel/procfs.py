"""procfs, sysfs and cgroupfs through one checked handle: what is opened below it is that file system or an error."""

import errno
import os

from havre.kernel.files import PROC_MAGIC, filesystem_magic
from havre.kernel.inroot import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2
from havre.kernel.libc import KernelError, StrPath, shown
from havre.kernel.mounts import AT_FDCWD, new_filesystem

_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
_READ_LIMIT = 16 << 20


class KernelFolder:
    """A handle on the top of a kernel file system; *magic* is what fstatfs(2) must say of everything opened below.

    Nothing mounted over a part of it and no link inside it is ever followed.
    """

    def __init__(self, fd: int, magic: int) -> None:
        self.fd = fd
        self._magic = magic
        self._check(fd, ".")

    def open(self, path: StrPath, flags: int) -> int:
        """Open *path* (relative, made of plain names); close-on-exec."""
        handle = openat2(self.fd, path, flags, resolve=_RESOLVE)
        try:
            self._check(handle, path)
        except KernelError:
            os.close(handle)
            raise
        return handle

    def read(self, path: StrPath, limit: int = _READ_LIMIT) -> bytes:
        """The content of *path*, at most *limit* bytes (EFBIG beyond)."""
        handle = self.open(path, os.O_RDONLY)
        data = bytearray()
        try:
            while piece := os.read(handle, 1 << 16):
                data += piece
                if len(data) > limit:
                    raise KernelError.of(errno.EFBIG, f"read {shown(path)}, longer than {limit} bytes")
        except KernelError:
            raise
        except OSError as error:
            raise KernelError.of(error.errno or 0, f"read {shown(path)}") from error
        finally:
            os.close(handle)
        return bytes(data)

    def write(self, path: StrPath, data: bytes) -> None:
        """Hand *data* to *path* in one piece, as kernel files want it."""
        handle = self.open(path, os.O_WRONLY)
        try:
            if os.write(handle, data) != len(data):
                raise KernelError.of(errno.EIO, f"write {data[:64]!r} to {shown(path)}, taken in part")
        except KernelError:
            raise
        except OSError as error:
            raise KernelError.of(error.errno or 0, f"write {data[:64]!r} to {shown(path)}") from error
        finally:
            os.close(handle)

    def close(self) -> None:
        """Give the handle back."""
        os.close(self.fd)

    def _check(self, handle: int, path: StrPath) -> None:
        if filesystem_magic(handle) != self._magic:
            raise KernelError.of(errno.EXDEV, f"{shown(path)} is not of the file system expected there")


class Proc(KernelFolder):
    """The /proc of one pid namespace."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, PROC_MAGIC)

    def own_pid(self) -> int:
        """The number that this process has in the pid namespace this /proc shows."""
        return int(os.readlink("self", dir_fd=self.fd))

    def write_own(self, name: str, data: bytes) -> None:
        """Write to a file of this process (`uid_map`, `attr/exec`, `oom_score_adj`)."""
        self.write(f"{self.own_pid()}/{name}", data)

    def set_oom_score_adj(self, value: int, pid: int | None = None) -> None:
        """How eagerly the kernel kills *pid* (this process) when memory runs out: -1000 to 1000."""
        self.write(f"{self.own_pid() if pid is None else pid}/oom_score_adj", b"%d" % value)

    def write_sysctl(self, name: str, value: str) -> None:
        """Set the sysctl *name* (`net.ipv4.ip_forward` or with slashes). EINVAL for a name or value out of form."""
        if "\n" in value or "\0" in value:
            raise KernelError.of(errno.EINVAL, f"sysctl {name}: value {value[:64]!r}")
        self.write(f"sys/{sysctl_path(name)}", value.encode())


def open_proc(*, only_pids: bool = False) -> Proc:
    """A private, detached mount of the caller's /proc that nothing can be mounted over.

    *only_pids* leaves out everything but the processes. Where the kernel refuses a fresh one, EPERM.
    """
    return Proc(new_filesystem("proc", {"subset": "pid"} if only_pids else {}))


def open_mounted_proc(path: StrPath = "/proc") -> Proc:
    """The procfs mounted at *path*, itself no link; EXDEV when something else is there."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    handle = openat2(AT_FDCWD, path, flags, resolve=RESOLVE_NO_MAGICLINKS)
    try:
        return Proc(handle)
    except KernelError:
        os.close(handle)
        raise


def sysctl_path(name: str) -> str:
    """`net.ipv4.conf.eth0/1.forwarding` or `net/ipv4/conf/eth0.1/forwarding` as a path below /proc/sys.

    As sysctl(8): the first separator seen is the separator, the other one stands for it inside a name.
    """
    first = next((char for char in name if char in "./"), ".")
    swapped = name.translate({ord("."): "/", ord("/"): "."}) if first == "." else name
    names = swapped.split("/")
    if any(part in {"", ".", ".."} or not part.isprintable() for part in names) or "\0" in name:
        raise KernelError.of(errno.EINVAL, f"sysctl name {name[:128]!r}")
    return swapped
