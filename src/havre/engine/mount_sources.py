"""The tree that a mount shows: a folder or file of the host, a volume or a part of it, with its ids mapped."""

import os

from havre.base.errors import InvalidInput
from havre.engine.model import BindMount, IdMap, VolumeMount
from havre.kernel.id_mapped import id_mapped
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.mounts import AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE, open_tree


def source_tree(mount: BindMount | VolumeMount) -> int:
    """A detached mount of what *mount* shows. Raises OSError without its source, InvalidInput without that part of it.

    With ids mapped it is the one file system alone, else everything below too.
    """
    subpath = "" if isinstance(mount, BindMount) else mount.subpath
    root = os.open(mount.source, os.O_PATH | os.O_CLOEXEC)
    try:
        found = part_of(root, subpath, mount.source) if subpath else os.dup(root)
        try:
            whole = AT_RECURSIVE if mount.id_map is None else 0
            copy = open_tree(found, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | whole)
            return copy if mount.id_map is None else _mapped(copy, mount.id_map, mount.source)
        finally:
            os.close(found)
    finally:
        os.close(root)


def part_of(root: int, subpath: str, what: str) -> int:
    """A handle on *subpath*, which no link leads out of *root*. Raises InvalidInput."""
    try:
        return open_in_root(root, subpath, os.O_PATH)
    except KernelError as missing:
        why = os.strerror(missing.errno or 0).lower()
        raise InvalidInput(f"cannot access path {subpath} of {what}: {why}") from None


def _mapped(tree: int, id_map: IdMap, source: str) -> int:
    try:
        return id_mapped(tree, id_map.user, id_map.group)
    except KernelError as failed:
        raise InvalidInput(f"the ids of {source} cannot be mapped on this file system and kernel: {failed}") from failed
