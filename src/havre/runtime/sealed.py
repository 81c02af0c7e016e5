"""Starts the launcher from an interpreter that nobody can write through /proc/PID/exe (rule 8)."""

import os
import sys
from pathlib import Path

from havre.kernel.files import sealed_memory
from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountAttr
from havre.kernel.overlays import detached_overlay

_CODE = (
    "import sys;sys.path[:]={paths!r};import havre.runtime.lean;from havre.runtime.launcher import main;"
    "main({fd},{fail_at!r},{cgroup_parent!r})"
)


def sealed_interpreter() -> int:
    """A handle on the running interpreter's file that can be executed and never written; close-on-exec.

    It lies on a read-only overlay that is mounted nowhere: its inode is the overlay's own, and there is no upper
    layer to copy it up to. Where the kernel refuses such a mount it is a sealed copy in memory.
    """
    folder, name = os.path.split(os.path.realpath(sys.executable))
    try:
        overlay = _overlay(folder)
    except KernelError:
        with open(os.path.join(folder, name), "rb") as file:  # noqa: PTH118, PTH123  what pathlib would do, no more
            return sealed_memory("havre-interpreter", file.read())
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=overlay)
    finally:
        os.close(overlay)


def _overlay(folder: str) -> int:
    """A detached mount that shows *folder*; the kernel wants two layers where none is written to."""
    attributes = MountAttr.RDONLY | MountAttr.NOSUID | MountAttr.NODEV
    return detached_overlay((folder, str(Path(__file__).parent)), attributes=attributes)


def start_launcher(channel_fd: int, fail_at: str = "", cgroup_parent: str = "") -> int:
    """Start the launcher on the inheritable descriptor *channel_fd*; its pid. Nothing of our environment goes along."""
    code = _CODE.format(
        paths=[path for path in sys.path if path], fd=channel_fd, fail_at=fail_at, cgroup_parent=cgroup_parent
    )
    options = ["-I", "-S", "-X", "utf8", "-X", "no_debug_ranges", "-OO"]
    interpreter = sealed_interpreter()
    try:
        return os.posix_spawn(
            f"/proc/self/fd/{interpreter}",
            [sys.executable, *options, "-c", code],
            {},
            setsid=True,
            setsigmask=(),
        )
    finally:
        os.close(interpreter)
