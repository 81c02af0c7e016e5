"""Pseudo-terminals: both ends by handle, never by the name of the peer (pty(7), ioctl_tty(2))."""

import errno
import fcntl
import os
import struct
import termios

from havre.kernel.files import DEVPTS_MAGIC, filesystem_magic, is_device
from havre.kernel.libc import KernelError

_TIOCGPTPEER = 0x5441
_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430
_PTMX = (5, 2)
_FLAGS = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def open_pty(devpts_fd: int | None = None) -> tuple[int, int]:
    """(master, peer), both close-on-exec and nobody's controlling terminal.

    *devpts_fd* is a handle on a mounted devpts, whose own `ptmx` is used after its number was checked;
    without it the host's /dev/ptmx is.
    """
    try:
        if devpts_fd is None:
            master = os.open("/dev/ptmx", _FLAGS)
        else:
            if filesystem_magic(devpts_fd) != DEVPTS_MAGIC:
                raise KernelError.of(errno.EINVAL, f"descriptor {devpts_fd} is not a devpts")
            master = os.open("ptmx", _FLAGS | os.O_NOFOLLOW, dir_fd=devpts_fd)
    except KernelError:
        raise
    except OSError as error:
        raise KernelError.of(error.errno or 0, "open ptmx") from error
    try:
        if not is_device(master, "c", _PTMX):
            raise KernelError.of(errno.ENODEV, "ptmx is not the device 5:2")
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        return master, open_peer(master)
    except OSError as error:
        os.close(master)
        if isinstance(error, KernelError):
            raise
        raise KernelError.of(error.errno or 0, "unlock pty") from error


def open_peer(master: int) -> int:
    """The other end of *master*, by TIOCGPTPEER: no path is looked at."""
    try:
        return fcntl.ioctl(master, _TIOCGPTPEER, _FLAGS)
    except OSError as error:
        raise KernelError.of(error.errno or 0, "open pty peer") from error


def pty_number(master: int) -> int:
    """The N of the peer's /dev/pts/N."""
    number: int = struct.unpack("I", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))[0]
    return number


def resize(fd: int, rows: int, columns: int) -> None:
    """TIOCSWINSZ: the foreground process group is told by SIGWINCH."""
    try:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    except (OSError, struct.error) as error:
        number = error.errno if isinstance(error, OSError) else errno.EINVAL
        raise KernelError.of(number or 0, f"resize terminal to {rows} rows, {columns} columns") from error


def window_size(fd: int) -> tuple[int, int]:
    """(rows, columns)."""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


def make_controlling(fd: int) -> None:
    """TIOCSCTTY: *fd* becomes the controlling terminal of the session that the caller leads."""
    try:
        fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    except OSError as error:
        raise KernelError.of(error.errno or 0, "set controlling terminal") from error
