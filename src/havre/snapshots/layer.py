"""Applying a layer: an archive of changes becomes a folder in overlayfs' form (image-spec, layer.md).

`.wh.NAME` becomes a character device 0:0, `.wh..wh..opq` the attribute trusted.overlay.opaque; both mean lower
layers only, whatever the order in the archive.
"""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from havre.content.reader import Readable
from havre.content.space import Reserve
from havre.kernel.files import make_node
from havre.oci.digest import Digest
from havre.snapshots.below import copy_attributes, copy_entry, find_folder
from havre.snapshots.budget import BadArchive, Budget, Metered, drain
from havre.snapshots.tar import Kind, Member, TarReader
from havre.snapshots.tree import (
    STAGED_FOLDER_MODE,
    Tree,
    is_whiteout,
    open_folder,
    set_folder_attributes,
    split,
)
from havre.snapshots.walk import PathTooLong, walk

OPAQUE_XATTR = "trusted.overlay.opaque"
WHITEOUT_PREFIX = b".wh."
OPAQUE_NAME = b".wh..wh..opq"
_AUFS_PREFIX = b".wh..wh."
_ROOT_MODE = 0o755
_INODE_BYTES = 4096
# What the kernel answers when the archive asks for the impossible; everything else is our own trouble.
_ARCHIVE_FAULTS = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.EPERM,
        errno.EINVAL,
        errno.EEXIST,
        errno.ENAMETOOLONG,
        errno.EFBIG,
        errno.EMLINK,
        errno.ERANGE,
        errno.E2BIG,
        errno.EOVERFLOW,
    }
)


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What came of an archive: the sum of its sizes, and what only its record can say of the root."""

    size: int
    own_root: bool
    opaque: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a layer: digest and length of its archive, sum of its files' sizes, and how its root folder is."""

    diff_id: Digest
    tar_bytes: int
    size: int
    own_root: bool
    opaque: bool


def apply_layer(stream: Readable, root: int, below: Callable[[], int] | None, budget: Budget | None = None) -> Applied:
    """Write the uncompressed archive *stream* into the empty folder *root*; blocks, mostly outside the interpreter.

    *below* gives a handle on the tree that the layer stands on, None for the lowest layer. It is asked only when the
    archive takes something from there: a hard link to a file of a lower layer, or a folder that it goes through
    without describing it.
    Raises BadArchive. What was written until then stays in *root*, for the caller to remove.
    """
    budget = budget or Budget()
    metered = Metered(stream, budget.stream_bytes)
    laid = lay_out(metered, root, below, budget)
    return Applied(metered.digest(), metered.count, laid.size, laid.own_root, laid.opaque)


def lay_out(stream: Readable, root: int, below: Callable[[], int] | None, budget: Budget) -> LaidOut:
    """As `apply_layer`, for a *stream* that somebody else hashes and bounds."""
    tree = Tree(root, STAGED_FOLDER_MODE)
    try:
        layer = _Layer(tree, TarReader(stream, budget), below)
        layer.apply()
        drain(stream)
        layer.finish()
    finally:
        tree.close()
    return LaidOut(layer.size, layer.own_root, layer.opaque)


class _Layer:
    def __init__(self, tree: Tree, reader: TarReader, below: Callable[[], int] | None) -> None:
        self._tree = tree
        self._reader = reader
        self._below = below
        self._reserve = Reserve(tree.root, "unpacking a layer")
        # Folders get their attributes last: their times change with each entry. By inode, since a path may come
        # to mean another folder meanwhile.
        self._folders: dict[int, tuple[bytes, bytes, Member]] = {}
        self._hidden: set[bytes] = set()
        self._root: Member | None = None
        self.size = 0
        self.opaque = False

    @property
    def own_root(self) -> bool:
        return self._root is not None

    def apply(self) -> None:
        """Make all entries."""
        for member in self._reader:
            self.size += member.size
            self._reserve.spend(member.stored + _INODE_BYTES)
            try:
                self._make(member)
            except OSError as error:
                if error.errno not in _ARCHIVE_FAULTS:
                    raise
                reason = os.strerror(error.errno or 0)
                raise BadArchive(f"cannot make archive member {member.path[:160]!r}: {reason}") from error

    def finish(self) -> None:
        """Give the folders their attributes."""
        if self._tree.made_folders:
            self._finish_undescribed()
        for inode, (head, name, member) in reversed(self._folders.items()):
            parent = self._tree.existing_folder(head)
            handle = _open_if_folder(parent, name) if parent is not None else None
            if handle is None:
                continue
            try:
                if os.fstat(handle).st_ino == inode:
                    set_folder_attributes(handle, member)
            finally:
                os.close(handle)
        if self._root is not None:
            set_folder_attributes(self._tree.root, self._root)
        else:
            os.fchmod(self._tree.root, _ROOT_MODE)

    def _make(self, member: Member) -> None:
        parts = split(member.path)
        if not parts:
            if member.kind is not Kind.FOLDER:
                raise BadArchive("archive puts something else in the place of the root folder")
            self._root = member
            return
        name = parts.pop()
        head = b"/".join(parts)
        parent = self._folder(head)
        if name.startswith(WHITEOUT_PREFIX):
            self._white_out(head, name)
        elif member.kind is Kind.FILE:
            self._tree.make_file(parent, name, member, self._reader.pieces())
        elif member.kind is Kind.FOLDER:
            inode, hid = self._tree.make_folder(parent, name)
            self._folders.pop(inode, None)
            self._folders[inode] = (head, name, member)
            if hid:
                _make_opaque(parent, name)
        elif member.kind is Kind.SYMLINK:
            self._tree.make_symlink(parent, name, member)
        elif member.kind is Kind.LINK:
            self._link(head, name, member)
        else:
            self._tree.make_node(parent, name, member)

    def _folder(self, path: bytes) -> int:
        try:
            return self._tree.folder(path)
        except OSError as error:
            if error.errno != errno.ENOTDIR or not self._uncover(path):
                raise
        return self._tree.folder(path)

    def _uncover(self, path: bytes) -> bool:
        """Where *path* leads through a whiteout of this layer, put an opaque folder in its place."""
        parts = path.split(b"/")
        for count in range(1, len(parts) + 1):
            prefix = b"/".join(parts[:count])
            if prefix in self._hidden:
                self._hidden.discard(prefix)
                parent = self._tree.folder(b"/".join(parts[: count - 1]))
                _, hid = self._tree.make_folder(parent, parts[count - 1])
                self._tree.made_folders = True
                if hid:
                    _make_opaque(parent, parts[count - 1])
                return True
        return False

    # -- whiteouts

    def _white_out(self, head: bytes, name: bytes) -> None:
        parent = self._folder(head)
        if name == OPAQUE_NAME:
            if os.path.samestat(os.fstat(parent), os.fstat(self._tree.root)):
                self.opaque = True
            _make_opaque(parent, b"")
            return
        if name.startswith(_AUFS_PREFIX):
            return  # bookkeeping of a file system long gone
        name = name.removeprefix(WHITEOUT_PREFIX)
        if name in {b"", b".", b".."}:
            raise BadArchive(f"archive holds an impossible whiteout in {head[:160]!r}")
        if self._below is None:
            return  # nothing to hide; in a folder of one layer alone, overlayfs would list the mark itself
        try:
            make_node(parent, name, "c", (0, 0), 0)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            # The layer has its own: that stays, and hides a lower one; a folder must not merge with it either.
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                _make_opaque(parent, name)
            return
        self._hidden.add(head + b"/" + name if head else name)

    # -- what comes from below

    def _link(self, head: bytes, name: bytes, member: Member) -> None:
        parts = split(member.link)
        if not parts:
            raise BadArchive(f"archive member {member.path[:80]!r} is a hard link to nothing")
        target = parts.pop()
        target_head = b"/".join(parts)
        if not self._is_here(target_head, target):
            # A hard link cannot reach into another layer, so the file is brought up here first.
            if self._below is None:
                raise BadArchive(f"archive has a hard link to {member.link[:160]!r}, which does not exist")
            copy_entry(self._below(), target_head, target, self._folder(target_head))
        source = os.dup(self._folder(target_head))  # the next call may close the cached handle
        try:
            self._tree.make_link(self._folder(head), name, source, target)
        finally:
            os.close(source)

    def _is_here(self, head: bytes, name: bytes) -> bool:
        parent = self._tree.existing_folder(head)
        if parent is None:
            return False
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if is_whiteout(status):
            raise BadArchive(f"archive links to {name[:80]!r}, which it removes")
        return True

    def _finish_undescribed(self) -> None:
        """Folders that the archive only goes through look as they do below, if they are there."""
        below = self._below() if self._below is not None else None
        try:
            self._describe_from(below)
        except PathTooLong as error:
            raise BadArchive(f"archive nests folders too deep: {error}") from error

    def _describe_from(self, below: int | None) -> None:
        for found in walk(self._tree.root):
            if not stat.S_ISDIR(found.status.st_mode) or found.status.st_ino in self._folders:
                continue
            handle = open_folder(found.folder, found.name)
            try:
                source = find_folder(below, found.path) if below is not None else None
                if source is None:
                    os.fchmod(handle, _ROOT_MODE)
                    continue
                try:
                    copy_attributes(source, handle)
                finally:
                    os.close(source)
            finally:
                os.close(handle)


def _make_opaque(parent: int, name: bytes) -> None:
    handle = open_folder(parent, name)
    try:
        os.setxattr(handle, OPAQUE_XATTR, b"y")
    finally:
        os.close(handle)


def _open_if_folder(parent: int, name: bytes) -> int | None:
    try:
        return open_folder(parent, name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
