"""Copying picked files into a tree in work, by handle on both sides (security.md, rules 1 to 3).

Docker's rules: new folders and files belong to root unless told otherwise, modes and times of files are kept, a folder
gives what it holds, links inside it are copied as they are, and the destination's links are followed in its own root.
"""

import errno
import os
import posixpath
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from havre.build.model import BuildFailed
from havre.build.steps.picking import Picked
from havre.build.steps.sharing import Shared
from havre.content.reader import FileReader
from havre.content.space import Reserve
from havre.kernel.inroot import make_folders_in_root, open_in_root
from havre.kernel.libc import KernelError
from havre.snapshots.compression import Decompressed
from havre.snapshots.path_stat import final_target
from havre.snapshots.put_in import PutWishes, put_in
from havre.snapshots.tar import Kind, Member
from havre.snapshots.tree import Tree, open_folder
from havre.snapshots.walk import Found, walk

_MADE_MODE = 0o755
_DOCUMENT_MODE = 0o644
_ROOT = (0, 0)
_PIECE_BYTES = 16 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
_KINDS = {stat.S_IFCHR: Kind.CHARACTER, stat.S_IFBLK: Kind.BLOCK, stat.S_IFIFO: Kind.FIFO}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWishes:
    """*destination* is absolute; a slash at its end says that it is a folder.

    *owner* is (user, group), None keeps that of each file; *change_mode* gives the new mode of one entry from its
    present one, kind included; *parents* repeats the path of each source; *leaves_out* names what stays behind,
    relative to a source folder. With *shared*, large files are not copied but only get a place there.
    """

    destination: str
    owner: tuple[int, int] | None = (0, 0)
    change_mode: Callable[[int], int] | None = None
    parents: bool = False
    leaves_out: Callable[[str], bool] | None = None
    word: str = "COPY"
    shared: Shared | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is copied: files *picked* below the handle *root*, and *documents* by name, which stand in the Dockerfile.

    *archives* are those of *picked* that are to be unpacked.
    """

    root: int
    picked: tuple[Picked, ...]
    documents: tuple[tuple[str, bytes], ...] = ()
    archives: frozenset[Picked] = frozenset()

    @property
    def several(self) -> bool:
        """Whether the destination must be a folder."""
        return len(self.picked) + len(self.documents) > 1


def copy_all(sources: Sources, root: int, wishes: CopyWishes) -> None:
    """Copy *sources* into the tree *root*. Raises BuildFailed, BadArchive, ResourceExhausted."""
    copying = _Copying(sources.root, root, wishes)
    try:
        for one in sources.picked:
            if one in sources.archives:
                copying.unpack(one)
            else:
                copying.copy(one, several=sources.several)
        for name, data in sources.documents:
            copying.document(name, data, several=sources.several)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}:
            raise
        reason = os.strerror(error.errno or 0).lower()
        raise BuildFailed(f"{wishes.word} failed: cannot copy to {wishes.destination}: {reason}") from error
    finally:
        copying.close()


class _Copying:
    def __init__(self, source_root: int, root: int, wishes: CopyWishes) -> None:
        self._source_root = source_root
        self._root = root
        self._wishes = wishes
        self._tree = Tree(root, _MADE_MODE)
        self._reserve = Reserve(root, f"copying to {wishes.destination[:128]}")

    def close(self) -> None:
        self._tree.close()

    def copy(self, one: Picked, *, several: bool) -> None:
        wishes = self._wishes
        into = several or wishes.destination.endswith("/") or wishes.parents
        base = self._resolved(wishes.destination)
        if wishes.parents:
            self._with_parents(one, base)
        elif one.is_folder:
            self._contents(one.path, self._folder(base, parents_too=False))
        elif into or self._is_folder(base):
            self._file(one.path, posixpath.join(base, one.name))
        else:
            self._file(one.path, base)

    def unpack(self, one: Picked) -> None:
        """Extract an archive into the destination, with the owners that it tells unless others are asked for."""
        owner = self._wishes.owner if self._wishes.owner != _ROOT else None
        target = self._folder(self._resolved(self._wishes.destination))
        handle = open_in_root(self._source_root, one.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            put_in(self._root, target, Decompressed(FileReader(handle)), PutWishes(owner=owner))
        finally:
            os.close(handle)

    def document(self, name: str, data: bytes, *, several: bool) -> None:
        """A file whose content stands in the Dockerfile."""
        target = self._resolved(self._wishes.destination)
        if several or self._wishes.destination.endswith("/") or self._is_folder(target):
            target = posixpath.join(target, posixpath.basename(name))
        target = self._resolved(target)
        self._folder(posixpath.dirname(target))
        head, _, base = os.fsencode(target.strip("/")).rpartition(b"/")
        parent = self._tree.folder(head)
        handle = self._tree.replacing(parent, base, lambda: os.open(base, _NEW, 0o600, dir_fd=parent))
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
            os.fchown(handle, *(self._wishes.owner or _ROOT))
            change = self._wishes.change_mode
            os.fchmod(handle, _DOCUMENT_MODE if change is None else change(stat.S_IFREG | _DOCUMENT_MODE))
        finally:
            os.close(handle)

    def _with_parents(self, one: Picked, base: str) -> None:
        """Repeat the path from the pivot on; the folders on the way look as they do at the source."""
        path = one.path[one.pivot :].strip("/")
        parts = path.split("/") if path else []
        here = base
        self._folder(here)
        source = one.path[: one.pivot]
        for part in parts if one.is_folder else parts[:-1]:
            source, here = f"{source}/{part}", f"{here.rstrip('/')}/{part}"
            made = not self._is_folder(here)
            self._folder(here)
            if made:
                self._like_source(source, here)
        if one.is_folder:
            self._contents(one.path, here)
        else:
            self._file(one.path, f"{here.rstrip('/')}/{parts[-1]}")

    def _like_source(self, source: str, path: str) -> None:
        old = open_in_root(self._source_root, source, os.O_RDONLY | os.O_DIRECTORY)
        try:
            new = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                status = os.fstat(old)
                os.fchmod(new, self._mode(status))
                os.utime(new, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(new)
        finally:
            os.close(old)

    # -- the destination

    def _resolved(self, path: str) -> str:
        return final_target(self._root, posixpath.normpath("/" + path.lstrip("/")))

    def _is_folder(self, path: str) -> bool:
        try:
            handle = open_in_root(self._root, path, os.O_PATH | os.O_DIRECTORY)
        except KernelError as error:
            if error.errno in _ABSENT:
                return False
            raise
        os.close(handle)
        return True

    def _folder(self, path: str, *, parents_too: bool = True) -> str:
        """Make the folder *path* and its parents where missing, for the owner that was asked for.

        Without *parents_too* the parents are root's.
        """
        missing: list[str] = []
        here = path
        while here not in {"", "/"} and not self._is_folder(here):
            missing.append(here)
            here = posixpath.dirname(here)
        for folder in reversed(missing):
            owner = (self._wishes.owner or _ROOT) if parents_too or folder == path else _ROOT
            handle = make_folders_in_root(self._root, folder, _MADE_MODE)
            try:
                os.chown(f"/proc/self/fd/{handle}", *owner)
                os.chmod(f"/proc/self/fd/{handle}", _MADE_MODE)  # noqa: PTH101  by handle, whatever the umask
            finally:
                os.close(handle)
        return path

    # -- what is copied

    def _contents(self, path: str, target: str) -> None:
        folder = open_in_root(self._source_root, path, os.O_RDONLY | os.O_DIRECTORY)
        linked: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        folders: list[tuple[bytes, os.stat_result]] = []
        prefix = os.fsencode(target.strip("/"))
        leaves_out = self._wishes.leaves_out
        try:
            for found in walk(folder):
                if leaves_out is not None and leaves_out(os.fsdecode(found.path)):
                    continue
                full = prefix + b"/" + found.path if prefix else found.path
                self._entry(found, full, linked)
                if stat.S_ISDIR(found.status.st_mode):
                    folders.append((full, found.status))
        finally:
            os.close(folder)
        for full, status in reversed(folders):
            self._finish_folder(full, status)

    def _entry(self, found: Found, full: bytes, linked: dict[tuple[int, int], tuple[bytes, bytes]]) -> None:
        head, _, name = full.rpartition(b"/")
        parent = self._tree.folder(head)
        status = found.status
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            self._tree.make_folder(parent, name)
            return
        if kind == stat.S_IFSOCK:
            return  # no layer can hold one
        if status.st_nlink > 1:
            first = linked.setdefault((status.st_dev, status.st_ino), (head, name))
            if first != (head, name):
                self._hard_link(first, head, name)
                return
        if kind == stat.S_IFREG:
            source = os.open(found.name, _READ, dir_fd=found.folder)
            try:
                self._write(source, parent, (head, name))
            finally:
                os.close(source)
            return
        member = self._member(found, full, status)
        if kind == stat.S_IFLNK:
            self._tree.make_symlink(parent, name, member)
        else:
            self._tree.make_node(parent, name, member)

    def _hard_link(self, first: tuple[bytes, bytes], head: bytes, name: bytes) -> None:
        source = os.dup(self._tree.folder(first[0]))  # the next call may close the cached handle
        try:
            self._tree.make_link(self._tree.folder(head), name, source, first[1])
        finally:
            os.close(source)

    def _file(self, path: str, target: str) -> None:
        """One file, whatever link led to it; *target* is its whole path."""
        target = self._resolved(target)
        if target == "/":
            raise BuildFailed(f"{self._wishes.word} failed: cannot copy a file to /: it is a directory")
        self._folder(posixpath.dirname(target))
        head, _, name = os.fsencode(target.strip("/")).rpartition(b"/")
        source = open_in_root(self._source_root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise BuildFailed(f"{self._wishes.word} failed: {path} is not a regular file")
            self._write(source, self._tree.folder(head), (head, name))
        finally:
            os.close(source)

    def _write(self, source: int, parent: int, place: tuple[bytes, bytes]) -> None:
        status = os.fstat(source)
        if self._share(source, status, parent, place):
            return
        name = place[1]
        self._reserve.spend(status.st_size)
        handle = self._tree.replacing(parent, name, lambda: os.open(name, _NEW, 0o600, dir_fd=parent))
        try:
            while os.sendfile(handle, source, None, _PIECE_BYTES):
                pass
            owner = self._owner(status)
            if owner != _ROOT:
                os.fchown(handle, *owner)
            for key in os.listxattr(source):
                if not key.startswith(("trusted.overlay.", "user.overlay.")):
                    with suppress(OSError):  # what this file system cannot hold
                        os.setxattr(handle, key, os.getxattr(source, key))
            os.fchmod(handle, self._mode(status))  # after the owner: chown(2) takes set-uid away
            os.utime(handle, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(handle)

    def _share(self, source: int, status: os.stat_result, parent: int, place: tuple[bytes, bytes]) -> bool:
        shared = self._wishes.shared
        if shared is None:
            return False
        shared.places.pop(place, None)
        if status.st_nlink > 1 or not shared.takes(status):
            return False
        name = place[1]
        os.close(self._tree.replacing(parent, name, lambda: os.open(name, _NEW, 0o600, dir_fd=parent)))
        shared.places[place] = os.fsdecode(os.readlink(f"/proc/self/fd/{source}"))  # noqa: PTH115  by handle
        return True

    def _finish_folder(self, full: bytes, status: os.stat_result) -> None:
        """Attributes last: the times of a folder change with each entry."""
        head, _, name = full.rpartition(b"/")
        handle = open_folder(self._tree.folder(head), name)
        try:
            os.fchown(handle, *self._owner(status))
            os.fchmod(handle, self._mode(status))
            os.utime(handle, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(handle)

    def _owner(self, status: os.stat_result) -> tuple[int, int]:
        return (status.st_uid, status.st_gid) if self._wishes.owner is None else self._wishes.owner

    def _mode(self, status: os.stat_result) -> int:
        mode = stat.S_IMODE(status.st_mode)
        change = self._wishes.change_mode
        if change is None:
            return mode
        return change(mode | (stat.S_IFDIR if stat.S_ISDIR(status.st_mode) else 0))

    def _member(self, found: Found, full: bytes, status: os.stat_result) -> Member:
        kind = stat.S_IFMT(status.st_mode)
        uid, gid = self._owner(status)
        return Member(
            path=full,
            kind=_KINDS.get(kind, Kind.SYMLINK),
            mode=stat.S_IMODE(status.st_mode),
            uid=uid,
            gid=gid,
            size=0,
            mtime_ns=status.st_mtime_ns,
            link=os.readlink(found.name, dir_fd=found.folder) if kind == stat.S_IFLNK else b"",
            device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind != stat.S_IFIFO else (0, 0),
            stored=0,
            segments=None,
            xattrs={},
        )
