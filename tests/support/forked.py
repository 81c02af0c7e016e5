"""Runs the body of a test in a child of its own, which may enter namespaces, drop rights and end as it likes."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from contextlib import suppress


def in_child(body: Callable[[], None]) -> None:
    """Call *body* in a forked child; what it raises fails the test with the child's traceback."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        status = 1
        try:
            body()
            status = 0
        except BaseException:  # noqa: BLE001  whatever it was, the parent tells it
            os.write(write_end, traceback.format_exc().encode()[-60000:])
        finally:
            os._exit(status)
    os.close(write_end)
    try:
        said = bytearray()
        while piece := os.read(read_end, 1 << 16):
            said += piece
    finally:
        os.close(read_end)
        _, status = os.waitpid(pid, 0)
    assert status == 0, f"the child ended with {status}\n{said.decode(errors='replace')}"


def descriptors() -> dict[int, str]:
    """The open descriptors of this process and what they lead to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found
