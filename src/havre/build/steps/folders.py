"""WORKDIR: a folder that is made where it is missing."""

import os
import posixpath

from havre.build.graph import FolderOperation
from havre.build.layers import Workshop
from havre.build.model import BuildFailed, LayerMade, Tree
from havre.build.steps.owners import find_user
from havre.kernel.inroot import make_folders_in_root, open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.contract import View

_MODE = 0o755


def make_folder(workshop: Workshop, tree: Tree, operation: FolderOperation, times_ns: int | None) -> LayerMade | None:
    """The layer with the folder, or None when it is there; blocks. Raises BuildFailed."""
    with workshop.opened(tree) as key:
        with workshop.trees.mounted(key, View.WRITABLE) as root:
            if _is_folder(root, operation.path):
                return None
            try:
                _make(root, operation)
            except KernelError as error:
                reason = os.strerror(error.errno or 0).lower()
                raise BuildFailed(f"mkdir {operation.path}: {reason}") from error
        return workshop.seal(key, tree, times_ns)


def _make(root: int, operation: FolderOperation) -> None:
    owner = find_user(root, operation.user)
    missing: list[str] = []
    here = operation.path
    while here != "/" and not _is_folder(root, here):
        missing.append(here)
        here = posixpath.dirname(here)
    for path in reversed(missing):
        handle = make_folders_in_root(root, path, _MODE)
        try:
            os.chown(f"/proc/self/fd/{handle}", *owner)
            os.chmod(f"/proc/self/fd/{handle}", _MODE)  # noqa: PTH101  by handle, whatever the umask
        finally:
            os.close(handle)


def _is_folder(root: int, path: str) -> bool:
    try:
        os.close(open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except KernelError:
        return False
    return True
