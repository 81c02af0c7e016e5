"""`--squash`: all that a build put on its base as one layer, in overlayfs' own form, file by file by hard links."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from havre.build.images import State
from havre.build.layers import Workshop
from havre.build.model import LayerMade, Tree
from havre.kernel.files import make_node
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.removing import empty_folder, remove_tree
from havre.oci.image_config import History
from havre.snapshots.below import copy_attributes
from havre.snapshots.contract import View
from havre.snapshots.layer import OPAQUE_XATTR
from havre.snapshots.tree import is_whiteout
from havre.snapshots.walk import Found, walk

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def squash(workshop: Workshop, base: Tree, layers: Sequence[LayerMade]) -> LayerMade | None:
    """The one layer on *base* that does what *layers* do, lowest first; None when nothing is left of them. Blocks."""
    trees = workshop.trees
    with workshop.opened(base) as key:
        with trees.mounted(key, View.OWN) as own, trees.mounted(key, View.BELOW) as below:
            for layer in layers:
                _Merging(own, below).apply(trees.diff_path(layer.chain.value))
        return workshop.seal(key, base)


def squashed(workshop: Workshop, state: State) -> State:
    """*state* with one layer on its base, and a history that says so; blocks."""
    count = len(state.base.rootfs.diff_ids) if state.base is not None else 0
    base, layers = Tree(state.tree.layers[:count]), state.tree.layers[count:]
    layer = squash(workshop, base, layers)
    told = tuple(msgspec.structs.replace(one, empty_layer=True) for one in state.history)
    merged = History(
        created=told[-1].created if told else None,
        comment=f"merge {len(layers)} layers on {state.base_id or 'scratch'}",
        empty_layer=layer is None,
    )
    return replace(state, tree=base if layer is None else base.on_top(layer), history=(*told, merged), cached=None)


class _Merging:
    """One layer merged into the changes *own*, which stand on the tree *below*."""

    def __init__(self, own: int, below: int) -> None:
        self._own = own
        self._below = below

    def apply(self, layer: Path) -> None:
        source = os.open(layer, _FOLDER)
        folders: list[bytes] = []
        try:
            for found in walk(source):
                parent = self._folder(found.path.rpartition(b"/")[0])
                try:
                    self._entry(found, parent)
                finally:
                    os.close(parent)
                if stat.S_ISDIR(found.status.st_mode):
                    folders.append(found.path)
            for path in reversed(folders):
                self._finish(source, path)
            copy_attributes(source, self._own)
        finally:
            os.close(source)

    def _entry(self, found: Found, parent: int) -> None:
        if is_whiteout(found.status):
            remove_tree(parent, found.name)
            if self._is_below(found.path):
                make_node(parent, found.name, "c", (0, 0), 0)
        elif stat.S_ISDIR(found.status.st_mode):
            self._make_folder(found, parent)
        else:
            remove_tree(parent, found.name)
            os.link(found.name, found.name, src_dir_fd=found.folder, dst_dir_fd=parent, follow_symlinks=False)

    def _make_folder(self, found: Found, parent: int) -> None:
        hid = False
        try:
            os.mkdir(found.name, 0o700, dir_fd=parent)
        except FileExistsError:
            there = os.stat(found.name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(there.st_mode):
                hid = is_whiteout(there)
                remove_tree(parent, found.name)
                os.mkdir(found.name, 0o700, dir_fd=parent)
        handle = os.open(found.name, _FOLDER, dir_fd=parent)
        try:
            if _is_opaque(found):
                empty_folder(handle)
                hid = True
            if hid and self._is_below(found.path):
                os.setxattr(handle, OPAQUE_XATTR, b"y")
        finally:
            os.close(handle)

    def _finish(self, source: int, path: bytes) -> None:
        """Attributes last: the times of a folder change with each entry."""
        old = open_in_root(source, path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            new = self._folder(path)
            try:
                copy_attributes(old, new)
            finally:
                os.close(new)
        finally:
            os.close(old)

    def _folder(self, path: bytes) -> int:
        return open_in_root(self._own, path or b".", os.O_RDONLY | os.O_DIRECTORY)

    def _is_below(self, path: bytes) -> bool:
        try:
            os.close(open_in_root(self._below, path, os.O_PATH | os.O_NOFOLLOW))
        except KernelError:
            return False
        return True


def _is_opaque(found: Found) -> bool:
    handle = os.open(found.name, _FOLDER, dir_fd=found.folder)
    try:
        return os.getxattr(handle, OPAQUE_XATTR) == b"y"
    except OSError:
        return False
    finally:
        os.close(handle)
