"""What comes into a tree as an archive: extracted into one of its folders, as `docker cp` puts it."""

import errno
import os
import stat
from dataclasses import dataclass

from havre.base.errors import InvalidInput
from havre.content.reader import Readable
from havre.content.space import Reserve
from havre.kernel.inroot import open_in_root
from havre.snapshots.budget import BadArchive, Budget, drain
from havre.snapshots.tar import Kind, Member, TarReader
from havre.snapshots.tree import Tree, open_folder, set_folder_attributes, split

_MADE_MODE = 0o755
_INODE_BYTES = 4096
_FAULTS = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True)
class PutWishes:
    """*same_kind*: a folder is never replaced by something else, nor something else by a folder.

    *owner* (user, group) is given to everything; None keeps the archive's.
    """

    same_kind: bool = False
    owner: tuple[int, int] | None = None


class WrongKind(InvalidInput):
    """A folder would have to make way for something else, or the other way round."""


def put_in(root: int, path: str, stream: Readable, wishes: PutWishes) -> int:
    """Extract the uncompressed archive *stream* into the folder *path* of *root*; the bytes of its files.

    Names of the archive are resolved inside *root*, from *path* on, links of the tree included. Raises BadArchive,
    WrongKind, KernelError; what was made until then stays.
    """
    here = open_in_root(root, path, os.O_RDONLY | os.O_DIRECTORY)
    tree = _Tree(root, path, wishes)
    try:
        extraction = _Extraction(tree, TarReader(stream, Budget()), path, here, wishes)
        extraction.apply()
        drain(stream)
        extraction.finish()
    finally:
        tree.close()
        os.close(here)
    return extraction.size


class _Tree(Tree):
    """A tree that may refuse to replace."""

    def __init__(self, root: int, path: str, wishes: PutWishes) -> None:
        super().__init__(root, _MADE_MODE)
        self._path = path.rstrip("/")
        self._same_kind = wishes.same_kind
        self.member = b""
        self.makes_folder = False

    def remove(self, parent: int, name: bytes) -> None:
        """See `Tree.remove`. Raises WrongKind."""
        if self._same_kind:
            is_folder = stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
            if is_folder or self.makes_folder:
                here = f"{self._path}/{os.fsdecode(self.member)}"
                old, new = ("directory", "non-directory") if is_folder else ("non-directory", "directory")
                raise WrongKind(f'cannot overwrite {old} "{here}" with {new} "{self._path or "/"}"')
        super().remove(parent, name)


class _Extraction:
    def __init__(self, tree: _Tree, reader: TarReader, path: str, here: int, wishes: PutWishes) -> None:
        self._tree = tree
        self._reader = reader
        self._prefix = [part for part in os.fsencode(path).split(b"/") if part not in {b"", b"."}]
        self._owner = wishes.owner
        self._reserve = Reserve(here, "copying into a container")
        self._folders: dict[int, tuple[bytes, bytes, Member]] = {}
        self.size = 0

    def apply(self) -> None:
        """Make all entries."""
        for member in self._reader:
            self.size += member.size
            self._reserve.spend(member.stored + _INODE_BYTES)
            if self._owner is not None:
                member.uid, member.gid = self._owner
            try:
                self._make(member)
            except OSError as error:
                if error.errno not in _FAULTS:
                    raise
                reason = os.strerror(error.errno or 0)
                raise BadArchive(f"cannot make archive member {member.path[:160]!r}: {reason}") from error

    def finish(self) -> None:
        """Give the folders their attributes: their times change with each entry."""
        for inode, (head, name, member) in reversed(self._folders.items()):
            parent = self._tree.existing_folder(head)
            if parent is None:
                continue
            try:
                handle = open_folder(parent, name)
            except OSError:
                continue  # the container made something else of it meanwhile
            try:
                if os.fstat(handle).st_ino == inode:
                    set_folder_attributes(handle, member)
            finally:
                os.close(handle)

    def _make(self, member: Member) -> None:
        tree = self._tree
        parts = split(member.path)
        if not parts:
            if member.kind is not Kind.FOLDER:
                raise WrongKind('cannot overwrite directory "/" with non-directory')
            return  # the folder that everything goes into stays as it is
        tree.member, tree.makes_folder = b"/".join(parts), member.kind is Kind.FOLDER
        name = parts.pop()
        head = b"/".join((*self._prefix, *parts))
        parent = tree.folder(head)
        if member.kind is Kind.FILE:
            tree.make_file(parent, name, member, self._reader.pieces())
        elif member.kind is Kind.FOLDER:
            inode, _ = tree.make_folder(parent, name)
            self._folders.pop(inode, None)
            self._folders[inode] = (head, name, member)
        elif member.kind is Kind.SYMLINK:
            tree.make_symlink(parent, name, member)
        elif member.kind is Kind.LINK:
            self._link(head, name, member)
        else:
            tree.make_node(parent, name, member)

    def _link(self, head: bytes, name: bytes, member: Member) -> None:
        parts = [*self._prefix, *split(member.link)]
        if len(parts) == len(self._prefix):
            raise BadArchive(f"archive member {member.path[:80]!r} is a hard link to nothing")
        target = parts.pop()
        found = self._tree.existing_folder(b"/".join(parts))
        if found is None:
            raise BadArchive(f"archive has a hard link to {member.link[:160]!r}, which does not exist")
        source = os.dup(found)  # the next call may close the cached handle
        try:
            self._tree.make_link(self._tree.folder(head), name, source, target)
        finally:
            os.close(source)
