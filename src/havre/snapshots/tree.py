"""Making entries of an untrusted archive in a folder, every one by handle (security.md, rules 1 to 3).

A parent is resolved once, by the kernel, inside the root; what is made then is one name below that handle, and is
never followed. Neither names nor links of the archive, nor a neighbour that renames folders meanwhile, lead out.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from havre.kernel.files import begin_writeback, make_node
from havre.kernel.inroot import make_folders_in_root, open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.removing import remove_tree
from havre.snapshots.budget import BadArchive
from havre.snapshots.tar import Kind, Member

STAGED_FOLDER_MODE = 0o700
_HANDLES = 64
_BIG_BYTES = 256 << 10
_MAX_MAJOR, _MAX_MINOR = (1 << 12) - 1, (1 << 20) - 1
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NODE_KINDS = {Kind.CHARACTER: "c", Kind.BLOCK: "b", Kind.FIFO: "p"}
# What a file system or a kind of file cannot hold is left out, as every archiver does.
_XATTR_REFUSALS = frozenset({errno.EOPNOTSUPP, errno.EPERM})
_T = TypeVar("_T")


def split(path: bytes) -> list[bytes]:
    """The components of an archive's path, none of them special. Raises BadArchive for `..`."""
    parts = [part for part in path.split(b"/") if part and part != b"."]
    if b".." in parts:
        raise BadArchive(f"archive member {path[:80]!r} leaves the tree")
    return parts


class Tree:
    """The folder that an archive is written into; close it.

    *made_mode* is the mode of folders that the archive does not describe. What stands where a member belongs is
    replaced, but a folder by a folder is kept.
    """

    def __init__(self, root: int, made_mode: int) -> None:
        self.root = root
        self._made_mode = made_mode
        self._umask = _umask()
        self._handles: dict[bytes, int] = {}
        self.made_folders = False

    def close(self) -> None:
        """Give the handles back."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()

    def folder(self, path: bytes) -> int:
        """A handle (O_PATH) on the folder *path*, made where missing. Valid until the next call of any method."""
        handle = self._handles.get(path)
        if handle is None:
            try:
                handle = open_in_root(self.root, path or b".", os.O_PATH | os.O_DIRECTORY)
            except KernelError as error:
                if error.errno != errno.ENOENT:
                    raise
                handle = make_folders_in_root(self.root, path, self._made_mode)
                self.made_folders = True
            self._remember(path, handle)
        return handle

    def existing_folder(self, path: bytes) -> int | None:
        """As `folder`, but None where it is missing."""
        handle = self._handles.get(path)
        if handle is None:
            try:
                handle = open_in_root(self.root, path or b".", os.O_PATH | os.O_DIRECTORY)
            except KernelError as error:
                if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                    return None
                raise
            self._remember(path, handle)
        return handle

    def make_file(self, parent: int, name: bytes, member: Member, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """A regular file with its data and attributes."""
        mode = member.mode

        def create() -> int:
            return os.open(name, _NEW_FILE, mode & 0o777, dir_fd=parent)

        handle = self.replacing(parent, name, create)
        try:
            _write(handle, member, pieces)
            if member.stored >= _BIG_BYTES:
                begin_writeback(handle)
            if member.uid or member.gid:
                os.fchown(handle, member.uid, member.gid)
            if member.xattrs:
                set_xattrs(handle, member.xattrs)
            # After the owner: chown(2) takes set-uid away.
            if mode & (0o7000 | self._umask):
                os.fchmod(handle, mode)
            os.utime(handle, ns=(member.mtime_ns, member.mtime_ns))
        finally:
            os.close(handle)

    def make_folder(self, parent: int, name: bytes) -> tuple[int, bool]:
        """A folder, kept if there; its inode number, and whether a whiteout made way for it."""
        hid = False
        try:
            os.mkdir(name, STAGED_FOLDER_MODE, dir_fd=parent)
        except FileExistsError:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return status.st_ino, False
            hid = is_whiteout(status)
            self.remove(parent, name)
            os.mkdir(name, STAGED_FOLDER_MODE, dir_fd=parent)
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_ino, hid

    def make_symlink(self, parent: int, name: bytes, member: Member) -> None:
        """A symbolic link, with any target: only whoever follows it has to be careful."""
        if not member.link:
            raise BadArchive(f"archive member {member.path[:80]!r} is a link to nothing")
        self.replacing(parent, name, lambda: os.symlink(member.link, name, dir_fd=parent))
        self._attributes(parent, name, member)

    def make_node(self, parent: int, name: bytes, member: Member) -> None:
        """A device or a FIFO; it is never opened."""
        major, minor = member.device
        if not (0 <= major <= _MAX_MAJOR and 0 <= minor <= _MAX_MINOR):
            raise BadArchive(f"archive member {member.path[:80]!r} has an impossible device number")
        kind = _NODE_KINDS[member.kind]
        self.replacing(parent, name, lambda: make_node(parent, name, kind, (major, minor), member.mode))
        self._attributes(parent, name, member)

    def make_link(self, parent: int, name: bytes, target_parent: int, target: bytes) -> None:
        """A hard link to *target* itself, also where that is a symbolic link. Raises FileNotFoundError."""

        def link() -> None:
            os.link(target, name, src_dir_fd=target_parent, dst_dir_fd=parent, follow_symlinks=False)

        try:
            link()
        except FileExistsError:
            if os.path.samestat(
                os.stat(name, dir_fd=parent, follow_symlinks=False),
                os.stat(target, dir_fd=target_parent, follow_symlinks=False),
            ):
                return
            self.replacing(parent, name, link)

    def replacing(self, parent: int, name: bytes, make: Callable[[], _T]) -> _T:
        """What *make* gives, after whatever has its name was removed."""
        try:
            return make()
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
        self.remove(parent, name)
        return make()

    def remove(self, parent: int, name: bytes) -> None:
        """Remove *name* with all below it."""
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            keep = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
            try:
                remove_tree(keep, name)
            finally:
                os.close(keep)
        else:
            os.unlink(name, dir_fd=parent)
        if stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
            self._forget_but(parent)

    def _forget_but(self, kept: int) -> None:
        """Drop all handles but the one in use: what their paths led through may be gone."""
        for path, handle in list(self._handles.items()):
            if handle != kept:
                del self._handles[path]
                os.close(handle)

    def _remember(self, path: bytes, handle: int) -> None:
        if len(self._handles) >= _HANDLES:
            self.close()
        self._handles[path] = handle

    def _attributes(self, parent: int, name: bytes, member: Member) -> None:
        if member.uid or member.gid:
            os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        if member.xattrs:
            set_xattrs(f"/proc/self/fd/{parent}/".encode() + name, member.xattrs)
        os.utime(name, ns=(member.mtime_ns, member.mtime_ns), dir_fd=parent, follow_symlinks=False)


def open_folder(parent: int, name: bytes) -> int:
    """A handle on the folder *name*, which is not a link."""
    return os.open(name or b".", _FOLDER, dir_fd=parent)


def set_folder_attributes(handle: int, member: Member) -> None:
    """Give an open folder what the archive says of it, once all its entries are made."""
    os.fchown(handle, member.uid, member.gid)
    set_xattrs(handle, member.xattrs)
    os.fchmod(handle, member.mode)
    os.utime(handle, ns=(member.mtime_ns, member.mtime_ns))


def set_xattrs(where: int | bytes, xattrs: dict[bytes, bytes]) -> None:
    """Extended attributes of an open file, or of a name below a handle; overlayfs' own are never taken from outside."""
    for key, value in xattrs.items():
        if key.startswith((b"trusted.overlay.", b"user.overlay.")):
            continue
        try:
            if isinstance(where, int):
                os.setxattr(where, key, value)
            else:
                os.setxattr(where, key, value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _XATTR_REFUSALS:
                raise


def is_whiteout(status: os.stat_result) -> bool:
    """Whether a file is overlayfs' mark for "removed"."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _write(handle: int, member: Member, pieces: Iterable[tuple[int, memoryview]]) -> None:
    if member.segments is None:
        for _, piece in pieces:
            left = piece
            while left:
                left = left[os.write(handle, left) :]
        return
    os.ftruncate(handle, member.size)
    for offset, piece in pieces:
        at, left = offset, piece
        while left:
            count = os.pwrite(handle, left, at)
            at, left = at + count, left[count:]


def _umask() -> int:
    """This process's umask, without setting it for a moment: other threads create files too."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  our own, by a fixed name
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o777  # unknown: set every mode
