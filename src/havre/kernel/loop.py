"""Loop devices: a file as a block device that goes by itself with its last user. loop(4)."""

import errno
import fcntl
import os
import struct
from contextlib import ExitStack
from typing import Final

from havre.kernel.libc import KernelError

_CONTROL: Final = "/dev/loop-control"
_LOOP_SET_CAPACITY, _LOOP_CONFIGURE, _LOOP_CTL_GET_FREE = 0x4C07, 0x4C0A, 0x4C82
_AUTOCLEAR: Final = 4
_ATTEMPTS: Final = 64
# struct loop_config: descriptor, block size, struct loop_info64 of which the flags alone are set, eight spare words.
_CONFIG: Final = struct.Struct("=II 52x I 176x 64x")


def attach_loop(image: int) -> tuple[str, int]:
    """A device that shows the file *image*: its path and a descriptor, whose closing lets an unused device go.

    Raises KernelError where the host has no loop devices or none is free.
    """
    with ExitStack() as undo:
        try:
            control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
            undo.callback(os.close, control)
            for _ in range(_ATTEMPTS):
                path = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
                device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.ioctl(device, _LOOP_CONFIGURE, _CONFIG.pack(image, 0, _AUTOCLEAR))
                except OSError as failed:
                    os.close(device)
                    if failed.errno != errno.EBUSY:  # somebody else took it between the two calls
                        raise
                else:
                    return path, device
        except OSError as failed:
            raise KernelError.of(failed.errno or 0, "attach a loop device") from failed
    raise KernelError.of(errno.EBUSY, "attach a loop device")


def notice_size(device: int) -> None:
    """Let the device be as large as its file is now. Raises KernelError."""
    try:
        fcntl.ioctl(device, _LOOP_SET_CAPACITY)
    except OSError as failed:
        raise KernelError.of(failed.errno or 0, "resize a loop device") from failed


def loop_path(device: int) -> str:
    """The path of the loop device with the number *device*, as in st_dev."""
    return f"/dev/loop{os.minor(device)}"
