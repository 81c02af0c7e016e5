"""From a tree in work to a layer: what a step left is cleaned of mere places for mounts, archived and sealed."""

import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from havre.base.ids import new_id
from havre.build.model import LayerMade, Tree
from havre.build.seams import Trees
from havre.images.candidate import Arrival
from havre.kernel.inroot import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from havre.kernel.libc import KernelError
from havre.oci.descriptor import OCI_LAYER, Descriptor
from havre.oci.digest import Digest
from havre.snapshots.contract import View
from havre.snapshots.layer import OPAQUE_XATTR
from havre.snapshots.path_stat import final_target
from havre.snapshots.sealing import Seal
from havre.snapshots.walk import tree_size, walk
from havre.snapshots.writer import WriteWishes, write_tar

_EMPTY = Digest.of(bytes(1024))  # an archive of nothing: two blocks of zeros
_PLAIN = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Workshop:
    """Trees in work of one build; every call blocks and may come from any thread."""

    def __init__(self, trees: Trees, arrival: Arrival, hold: Callable[[Digest, Digest], None]) -> None:
        self.trees = trees
        self._arrival = arrival
        self._hold = hold

    @contextmanager
    def opened(self, tree: Tree) -> Iterator[str]:
        """The key of a tree in work on *tree*; what is not sealed at the end is discarded."""
        key = new_id()
        self.trees.prepare(key, tree.chain)
        try:
            yield key
        finally:
            self.trees.discard(key)

    def seal(self, key: str, tree: Tree, times_ns: int | None = None) -> LayerMade | None:
        """Make a layer of what *key*, which stands on *tree*, changed; None when nothing did."""
        with self.trees.mounted(key, View.OWN) as own:
            drop_unsealable(own)
            own_root = self._root_differs(key, own)
            if not own_root and not os.listdir(own):  # noqa: PTH208  by handle
                return None
            if times_ns is not None:
                cut_times(own, times_ns)
            with closing(write_tar(own, WriteWishes(overlay=True, root_entry=own_root))) as pieces:
                stored = self._arrival.ingest_soon(pieces)
            if stored.digest == _EMPTY:
                return None
            size = tree_size(own)
        chain = tree.next_chain(stored.digest)
        self._hold(chain, stored.digest)
        self._arrival.chains.add(chain)
        self.trees.sealing.seal(key, Seal(chain=chain, diff_id=stored.digest, size=size, own_root=own_root))
        blob = Descriptor(media_type=OCI_LAYER, digest=str(stored.digest), size=stored.size)
        return LayerMade(chain=chain, diff=stored.digest, blob=blob, size_bytes=size)

    def unpack(self, tree: Tree, diff: Digest, blob: Descriptor) -> LayerMade:
        """Make a layer on *tree* of *blob*, which is in the store; it must be *diff*. Raises InvalidInput."""
        chain = tree.next_chain(diff)
        self._hold(chain, blob.parsed_digest())
        self._arrival.chains.add(chain)
        with self._arrival.open(blob.parsed_digest()) as source:
            sealed, _ = self.trees.unpack(chain, tree.chain, source)
        return LayerMade(chain=chain, diff=diff, blob=blob, size_bytes=sealed.size)

    def _root_differs(self, key: str, own: int) -> bool:
        """Whether the root folder itself was given another owner or mode."""
        now = os.fstat(own)
        with self.trees.mounted(key, View.BELOW) as below:
            before = os.fstat(below)
        return (now.st_mode, now.st_uid, now.st_gid) != (before.st_mode, before.st_uid, before.st_gid)


def missing_places(root: int, targets: Sequence[str]) -> tuple[str, ...]:
    """The paths, parents first, that will be made in the tree *root* only to mount something on *targets*."""
    missing: dict[str, None] = {}
    for target in targets:
        path = ""
        for part in final_target(root, posixpath.normpath("/" + target.lstrip("/"))).strip("/").split("/"):
            path = f"{path}/{part}"
            try:
                os.close(openat2(root, path, os.O_PATH, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
            except KernelError:
                missing[path] = None
    return tuple(missing)


def drop_places(own: int, paths: Sequence[str]) -> None:
    """Take *paths* out of the changes *own* of a tree, if they are still empty; no link is followed."""
    for path in reversed(paths):
        head, _, name = path.rpartition("/")
        try:
            parent = openat2(own, head or "/", _FOLDER, resolve=_PLAIN)
        except KernelError:
            continue
        try:
            with suppress(OSError):
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    os.rmdir(name, dir_fd=parent)
                elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
                    os.unlink(name, dir_fd=parent)
        finally:
            os.close(parent)


def drop_unsealable(own: int) -> None:
    """Remove sockets: no archive holds one, and the sealed tree must be what its archive says."""
    for found in walk(own, longest=0):
        if stat.S_ISSOCK(found.status.st_mode):
            os.unlink(found.name, dir_fd=found.folder)


def cut_times(own: int, times_ns: int) -> None:
    """Let nothing in the changes *own* be younger than *times_ns*."""
    for found in walk(own, longest=0):
        if found.status.st_mtime_ns > times_ns:
            os.utime(found.name, ns=(times_ns, times_ns), dir_fd=found.folder, follow_symlinks=False)
    if os.fstat(own).st_mtime_ns > times_ns:
        os.utime(own, ns=(times_ns, times_ns))


def drop_touched(own: int, below: int, paths: Sequence[str]) -> None:
    """Take the folders that hold *paths* out of the changes *own*, where they are empty and else as *below*."""
    folders = {posixpath.dirname(path) for path in paths} - {"/"}
    for folder in sorted(folders, key=len, reverse=True):
        if _unchanged(own, below, folder):
            drop_places(own, [folder])


def _unchanged(own: int, below: int, path: str) -> bool:
    try:
        mine, theirs = openat2(own, path, _FOLDER, resolve=_PLAIN), -1
    except KernelError:
        return False
    try:
        theirs = openat2(below, path, _FOLDER, resolve=_PLAIN)
        one, other = os.fstat(mine), os.fstat(theirs)
        if OPAQUE_XATTR in os.listxattr(mine):
            return False
        return (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)
    except KernelError:
        return False
    finally:
        os.close(mine)
        if theirs >= 0:
            os.close(theirs)
