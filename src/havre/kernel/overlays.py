"""Overlay mounts that lie nowhere in the file tree, on every kernel: overlay(7), fsopen(2).

Before Linux 6.7 the layers must fit a page of text for mount(2), which needs a place to mount on: a thread with a mount
namespace of its own offers one that nobody else sees.
"""

import os
from collections.abc import Sequence

from havre.kernel.mounts import (
    AT_FDCWD,
    OPEN_TREE_CLONE,
    FsConfig,
    fsconfig,
    fsmount,
    fsopen,
    mount,
    mount_setattr,
    open_tree,
)
from havre.kernel.overlay_options import Options, short_options, takes_layers
from havre.kernel.private_mounts import enter_private_mounts


def detached_overlay(lowers: Sequence[str], options: Options = (), attributes: int = 0) -> int:
    """A handle on a mount of *lowers*, topmost first, that goes with its last handle; *attributes* as fsmount(2).

    Each lower is an absolute path. Raises KernelError.
    """
    if takes_layers(os.uname().release):
        return _by_layers(lowers, options, attributes)
    return _from_private_mounts(lowers, options, attributes)


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


def _from_private_mounts(lowers: Sequence[str], options: Options, attributes: int) -> int:
    """Made by a thread of its own, whose mounts nobody else sees."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="havre-overlay") as alone:
        return alone.submit(_mounted, lowers, options, attributes).result()


def _mounted(lowers: Sequence[str], options: Options, attributes: int) -> int:
    folder, data = short_options(lowers, options)
    enter_private_mounts()
    os.chdir(folder)
    mount("overlay", lowers[0], "overlay", 0, data)
    made = open_tree(AT_FDCWD, lowers[0], OPEN_TREE_CLONE)
    try:
        mount_setattr(made, set_=attributes)
    except BaseException:
        os.close(made)
        raise
    return made
