"""Work in a mount namespace that nobody else sees: a thread of its own, which takes all its mounts along at its end."""

import os
from collections.abc import Callable
from typing import TypeVar

from havre.kernel.mounts import MountFlag, mount
from havre.kernel.namespaces import CLONE, setns, unshare

_T = TypeVar("_T")


def enter_private_mounts() -> None:
    """Give the calling thread mounts of its own: copies, which unmounts of the host still reach.

    The thread must be a new one that ends after its work: it shares its root and working folder with no other any more,
    and what it mounts is gone with it.
    """
    unshare(CLONE.NEWNS)  # of this thread alone: unshare(2)
    mount("", "/", flags=MountFlag.REC | MountFlag.SLAVE)


def visit_mounts_of(process_fd: int, work: Callable[[], _T]) -> _T:
    """What *work* gives, called inside the mount namespace of the process whose /proc folder is *process_fd*.

    Only in a thread that called `enter_private_mounts`. *work* may do system calls on handles and nothing
    else: any file that it opens by name is one of that namespace.
    """
    own = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        theirs = os.open("ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process_fd)
        try:
            setns(theirs, CLONE.NEWNS)
        finally:
            os.close(theirs)
        try:
            return work()
        finally:
            setns(own, CLONE.NEWNS)
    finally:
        os.close(own)
