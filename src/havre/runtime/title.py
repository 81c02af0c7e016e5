"""The command line that `ps` shows of this process."""

import os

_ARG_START, _ARG_END = 45, 46


def set_title(title: str) -> None:
    """Overwrite the arguments that this process was started with, as far as there is room (proc(5), cmdline)."""
    handle = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fields = os.read(handle, 4096).rpartition(b")")[2].split()
    finally:
        os.close(handle)
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    raw = title.encode()[: end - start - 1]
    handle = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(handle, raw.ljust(end - start, b"\0"), start)
    finally:
        os.close(handle)
