"""Overlay mounts that lie nowhere in the file tree, on every kernel: overlay(7), fsopen(2).

Before Linux 6.7 the layers must fit a page of text for mount(2), which needs a place to mount on: a thread with a mount
namespace of its own offers one that nobody else sees.
"""

import os
import threading
from collections.abc import Sequence

from havre.kernel.libc import KernelError
from havre.kernel.mounts import (
    AT_FDCWD,
    OPEN_TREE_CLONE,
    FsConfig,
    MountFlag,
    fsconfig,
    fsmount,
    fsopen,
    mount,
    mount_setattr,
    open_tree,
)
from havre.kernel.namespaces import CLONE, unshare
from havre.kernel.overlay_options import Options, short_options, takes_layers


def detached_overlay(lowers: Sequence[str], options: Options = (), attributes: int = 0) -> int:
    """A handle on a mount of *lowers*, topmost first, that goes with its last handle; *attributes* as fsmount(2).

    Each lower is an absolute path. Raises KernelError.
    """
    if takes_layers(os.uname().release):
        return _by_layers(lowers, options, attributes)
    return _PrivateMount(lowers, options, attributes).handle()


def _by_layers(lowers: Sequence[str], options: Options, attributes: int) -> int:
    context = fsopen("overlay")
    try:
        for lower in lowers:
            fsconfig(context, FsConfig.SET_STRING, "lowerdir+", lower)
        for key, value in options:
            if value:
                fsconfig(context, FsConfig.SET_STRING, key, value)
            else:
                fsconfig(context, FsConfig.SET_FLAG, key)
        fsconfig(context, FsConfig.CREATE)
        return fsmount(context, attributes)
    finally:
        os.close(context)


class _PrivateMount:
    """One mount made by a thread of its own: unshare(2) acts on the calling thread alone."""

    def __init__(self, lowers: Sequence[str], options: Options, attributes: int) -> None:
        self._place = lowers[0]
        self._folder, self._data = short_options(lowers, options)
        self._attributes = attributes
        self._made = -1
        self._failure: BaseException | None = None

    def handle(self) -> int:
        """The mount. Raises KernelError."""
        thread = threading.Thread(target=self._run, name="havre-overlay")
        thread.start()
        thread.join()
        if self._failure is not None:
            raise self._failure
        return self._made

    def _run(self) -> None:
        try:
            self._make()
        except (KernelError, OSError) as failed:
            self._failure = failed

    def _make(self) -> None:
        unshare(CLONE.NEWNS)
        mount("", "/", flags=MountFlag.REC | MountFlag.PRIVATE)
        os.chdir(self._folder)
        mount("overlay", self._place, "overlay", 0, self._data)
        made = open_tree(AT_FDCWD, self._place, OPEN_TREE_CLONE)
        if self._attributes:
            try:
                mount_setattr(made, set_=self._attributes)
            except BaseException:
                os.close(made)
                raise
        self._made = made
