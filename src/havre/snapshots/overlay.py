"""Snapshots on overlayfs: one folder a layer, one a tree in work, and nothing mounted on the host.

```
l/<link>             a short link to a layer's diff, so that mount options for many layers fit a page
<chain hex>/         a sealed layer: record.json and diff/, its files in overlayfs' own form
<key>/               a tree in work: diff/ (upper), work/, merged/ (where its user mounts it), chain (a link that says
                     on what it stands: a name is durable with the folder, without an fsync of its own)
empty/               what a tree on no layer stands on
staging/ trash/ lost+found/
```
Order is content, then the record that names it; removal takes both away by one rename (security.md, rules 22, 23).
"""

import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from havre.base.atomic import sync_folder
from havre.base.errors import InvalidInput
from havre.base.exhaustion import exhaustion
from havre.content.reader import Readable
from havre.kernel.removing import remove_tree
from havre.oci.digest import Digest
from havre.oci.runtime_spec import Mount
from havre.snapshots import records
from havre.snapshots.contract import (
    KeyTaken,
    Layer,
    LayerInUse,
    NoSuchKey,
    NoSuchLayer,
    ParentMissing,
    Unpacked,
    View,
)
from havre.snapshots.layer import Applied
from havre.snapshots.lowers import Lowers, private_mount
from havre.snapshots.removal import Bin
from havre.snapshots.sealing import Sealing, Shelves
from havre.snapshots.walk import tree_size
from havre.snapshots.workers import Workers

_log = logging.getLogger(__name__)
_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_MAX_KEY = 128
_NO_CHAIN = "none"
_OWN_FOLDERS = ("l", "empty", "staging", "trash", "lost+found")
_UNMOUNTABLE = frozenset(":,\\")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ROOT_MODE = 0o755
_KEY_MODE = 0o710  # set-uid files of images stay out of reach of local users (security.md, rule 35)


class Overlay:
    """Implements `contract.Snapshots`; one process at a time owns *root*. *sealing* makes layers of trees in work.

    *layers* are for its own room alone. *supply* makes a sealed layer that is missing, with all that it stands on, or
    raises; who asks for a tree on it waits.
    """

    def __init__(self, root: Path) -> None:
        if _UNMOUNTABLE & set(str(root)):
            raise InvalidInput(f"{root}: a folder for overlay mounts cannot have ':', ',' or '\\' in its name")
        self.root = root
        self._lock = threading.Lock()
        self._unpacking: dict[Digest, threading.Event] = {}
        self._keys: dict[str, Digest | None] = {}
        self._released: set[str] = set()
        self._workers = Workers()
        self.supply: Callable[[Digest], None] | None = None
        with exhaustion(f"opening the snapshots in {root}"):
            root.mkdir(mode=0o710, parents=True, exist_ok=True)
            for name in _OWN_FOLDERS:
                (root / name).mkdir(mode=0o755 if name == "empty" else 0o700, exist_ok=True)
            self._bin = Bin(root / "trash")
            self.layers = Lowers(root)
            self._load()
        self.sealing = Sealing(Shelves(root, self._lock, self.layers, self._keys, self._unpacking, self._bin))

    def close(self) -> None:
        """Wait until discarded trees are gone."""
        self._workers.close()
        self._bin.close()

    def sweep(self) -> None:
        """At start: remove what a dead process left half-made. Its trees in work stay; see `keys`."""
        for entry in list((self.root / "staging").iterdir()):
            self._bin.put(entry)
        known = {layer.chain.value for layer in self.layers.all()} | self._keys.keys() | set(_OWN_FOLDERS)
        for entry in list(self.root.iterdir()):
            if entry.name not in known:
                self._bin.put(entry)
        self.layers.mend_links()
        self._bin.empty()

    # -- sealed layers

    def unpack(self, chain: Digest, parent: Digest | None, stream: Readable, *, durable: bool = False) -> Unpacked:
        """See `contract.Snapshots.unpack`."""
        while True:
            with self._lock:
                if (known := self.layers.find(chain)) is not None:
                    return Unpacked(known, 0)
                running = self._unpacking.get(chain)
                if running is None:
                    self._unpacking[chain] = threading.Event()
                    break
            running.wait()
        try:
            with exhaustion(f"unpacking layer {chain}"):
                return self._unpack(chain, parent, stream, durable=durable)
        finally:
            with self._lock:
                self._unpacking.pop(chain).set()

    def has(self, chain: Digest) -> bool:
        """See `contract.Snapshots.has`."""
        with self._lock:
            return self.layers.stack(chain) is not None

    def find(self, chain: Digest) -> Layer | None:
        """The sealed layer on top of *chain*, whether or not all below it is there."""
        with self._lock:
            return self.layers.find(chain)

    def chains(self) -> tuple[Layer, ...]:
        """All sealed layers, in no order."""
        with self._lock:
            return self.layers.all()

    def remove(self, chain: Digest) -> None:
        """See `contract.Snapshots.remove`."""
        with self._lock:
            layer = self.layers.find(chain)
            if layer is None:
                return
            if chain in self._keys.values() or self.layers.has_children(chain):
                raise LayerInUse(f"layer {chain} is in use")
            self.layers.forget(layer)
            self._bin.put(self.root / chain.value)
        sync_folder(self.root)

    # -- trees in work

    def prepare(self, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        """See `contract.Snapshots.prepare`. Costs a handful of mkdir(2): it is on the way of every start."""
        if not (0 < len(key) <= _MAX_KEY and set(key) <= _KEY and key[0] not in ".-") or key in _OWN_FOLDERS:
            raise InvalidInput(f"invalid snapshot key {key[:_MAX_KEY]!r}")
        stack = self._reserve(key, chain)
        if stack is None and chain is not None and self.supply is not None:
            self.supply(chain)
            stack = self._reserve(key, chain)
        if stack is None:
            raise NoSuchLayer(f"no such layer: {chain}")
        try:
            with exhaustion(f"preparing {key}"):
                self._make_key(key, chain, stack)
        except BaseException:
            with self._lock:
                del self._keys[key]
            raise
        return self.mounts(key)

    def mounts(self, key: str) -> tuple[Mount, ...]:
        """See `contract.Snapshots.mounts`. The one mount's options fit a page up to about 115 layers."""
        own = self.root / key
        lower = ":".join(self._lowers(key))
        options = [f"lowerdir={lower}", f"upperdir={own}/diff", f"workdir={own}/work", *self.layers.overrides]
        return (Mount(destination="/", type="overlay", source="overlay", options=options),)

    @contextmanager
    def mounted(self, key: str, view: View = View.WHOLE) -> Iterator[int]:
        """See `contract.Snapshots.mounted`."""
        handle = self._open_view(key, view)
        try:
            yield handle
        finally:
            os.close(handle)

    def usage(self, key: str) -> int:
        """See `contract.Snapshots.usage`: the files' sizes, a hard-linked one counted once."""
        with self.mounted(key, View.OWN) as handle:
            return tree_size(handle)

    def discard(self, key: str, *, files: bool = True) -> None:
        """See `contract.Snapshots.discard`."""
        if not files:
            if self._keys.pop(key, key) is not key:
                self._released.add(key)
            return
        with self._lock:
            if key not in self._keys and key not in self._released:
                return
            with suppress(FileNotFoundError):
                self._bin.put(self.root / key)
            self._keys.pop(key, None)
            self._released.discard(key)

    def keys(self) -> tuple[str, ...]:
        """All trees in work, those of a process before this one included."""
        with self._lock:
            return tuple(self._keys)

    def target(self, key: str) -> Path:
        """The folder where the user of *key* mounts it, inside a mount namespace of its own."""
        return self.root / key / "merged"

    def diff_path(self, key: str) -> Path:
        """The folder that holds what *key*, or the layer of this chain's hexadecimal, changed; in overlayfs' form."""
        return self.root / key / "diff"

    # -- how it is done

    def _load(self) -> None:
        for folder in list(self.root.iterdir()):
            if folder.name in _OWN_FOLDERS:
                continue
            try:
                layer = records.load(folder)
            except records.DamagedRecord as error:
                _log.warning("set aside a damaged layer: %s", error)
                folder.rename(self.root / "lost+found" / f"{folder.name}.{os.urandom(4).hex()}")
                continue
            if layer is not None:
                self.layers.add(layer)
                continue
            with suppress(OSError, InvalidInput):
                chain = str((folder / "chain").readlink())
                self._keys[folder.name] = None if chain == _NO_CHAIN else Digest.parse(chain)

    def _reserve(self, key: str, chain: Digest | None) -> tuple[Layer, ...] | None:
        """Take *key* for a tree on *chain*; the layers of that, or None when one is missing. Raises KeyTaken."""
        with self._lock:
            if key in self._keys or key in self._released:
                raise KeyTaken(f"a tree in work is called {key} already")
            stack = self.layers.stack(chain)
            if stack is not None:
                self._keys[key] = chain
            return stack

    def _make_key(self, key: str, chain: Digest | None, stack: tuple[Layer, ...]) -> None:
        own = self.root / key
        own.mkdir(_KEY_MODE)
        try:
            upper = own / "diff"
            for folder in (upper, own / "work", own / "merged"):
                folder.mkdir(0o700)
            # The root that a container sees is the upper folder: it must look as the topmost layer's.
            shape = next((layer for layer in stack if layer.own_root), None)
            if shape is None:
                upper.chmod(_ROOT_MODE)
            else:
                status = (self.root / shape.chain.value / "diff").stat()
                os.chown(upper, status.st_uid, status.st_gid)
                upper.chmod(stat.S_IMODE(status.st_mode))
                os.utime(upper, ns=(status.st_mtime_ns, status.st_mtime_ns))
            (own / "chain").symlink_to(_NO_CHAIN if chain is None else str(chain))
        except BaseException:
            self._bin.put(own)
            raise

    def _open_view(self, key: str, view: View) -> int:
        lowers, upper = self._lowers(key), self.diff_path(key)
        match view:
            case View.WHOLE:
                return private_mount((str(upper), *lowers))
            case View.WRITABLE:
                return private_mount(lowers, upper)
            case View.BELOW:
                return self._mount_below(lowers)
            case View.OWN:
                return os.open(upper, _FOLDER)

    def _mount_below(self, lowers: tuple[str, ...]) -> int:
        empty = f"{self.root}/empty"
        if lowers == (empty,):
            return os.open(empty, _FOLDER)
        return private_mount((*lowers, empty))  # overlayfs wants two folders where nothing can be written

    def _lowers(self, key: str) -> tuple[str, ...]:
        with self._lock:
            if key not in self._keys:
                raise NoSuchKey(f"no such tree in work: {key[:_MAX_KEY]}")
            chain = self._keys[key]
            return self.layers.paths(chain)

    def _unpack(self, chain: Digest, parent: Digest | None, stream: Readable, *, durable: bool) -> Unpacked:
        staged = self.root / "staging" / os.urandom(16).hex()
        with ExitStack() as undo:
            staged.mkdir(mode=0o700)
            undo.callback(self._abandon, staged)
            (staged / "diff").mkdir(mode=0o755)
            with ExitStack() as handles:
                tree = os.open(staged / "diff", _FOLDER)
                handles.callback(os.close, tree)
                applied = self._workers.apply(stream, tree, self._below(parent, handles))
                _expect(chain, parent, applied)
            layer = self._seal(staged, chain, parent, applied, durable=durable)
            undo.pop_all()
        return Unpacked(layer, applied.tar_bytes)

    def _seal(self, staged: Path, chain: Digest, parent: Digest | None, applied: Applied, *, durable: bool) -> Layer:
        layer = Layer(
            chain=chain,
            parent=parent,
            diff_id=applied.diff_id,
            size=applied.size,
            link=self.layers.make_link(chain),
            own_root=applied.own_root,
            opaque=applied.opaque,
        )
        place = self.root / chain.value
        try:
            with suppress(FileNotFoundError):  # what stands there has no record, or it would be known
                self._bin.put(place)
            staged.rename(place)
            self.sealing.shelve(layer, durable=durable)
        except BaseException:
            self.layers.drop_link(layer.link)
            with suppress(FileNotFoundError):
                self._bin.put(place)
            raise
        return layer

    def _below(self, parent: Digest | None, handles: ExitStack) -> Callable[[], int] | None:
        return None if parent is None else cache(lambda: self._parent_view(parent, handles))

    def _parent_view(self, parent: Digest, handles: ExitStack) -> int:
        """A handle on the whole tree below the layer being unpacked."""
        with self._lock:
            running = self._unpacking.get(parent)
        if running is not None:
            running.wait()
        if not self.has(parent):
            raise ParentMissing(f"layer {parent} must be unpacked first")
        with self._lock:
            paths = self.layers.paths(parent)
        handle = self._mount_below(paths)
        handles.callback(os.close, handle)
        return handle

    def _abandon(self, staged: Path) -> None:
        """Remove at once: on a full disk the space is needed now."""
        parent = os.open(staged.parent, _FOLDER)
        try:
            remove_tree(parent, staged.name)
        finally:
            os.close(parent)


def _expect(chain: Digest, parent: Digest | None, applied: Applied) -> None:
    made = applied.diff_id if parent is None else Digest.of(f"{parent} {applied.diff_id}".encode())
    if made != chain:
        raise InvalidInput(f"layer has diff id {applied.diff_id}, which does not make chain {chain} on {parent}")
