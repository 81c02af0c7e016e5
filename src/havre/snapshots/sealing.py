"""Layers between their making and the disk; and sealing a tree in work as it lies.

What a tree in work changed is a layer already, in overlayfs' own form, and only moves. A new layer is known at once,
and on the disk after `flush`: many may be made before the disk is waited for once. Until then its folder bears no
record, and a process that starts after a crash sweeps it; so no record of anybody may name a layer before `flush`.
"""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from havre.base.errors import Conflict
from havre.base.exhaustion import exhaustion
from havre.kernel.files import syncfs
from havre.oci.digest import Digest
from havre.snapshots import records
from havre.snapshots.contract import Layer, NoSuchKey
from havre.snapshots.lowers import Lowers
from havre.snapshots.removal import Bin

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Shelves:
    """What a store shares with those who seal for it; *lock* guards *layers*, *keys* and *unpacking*."""

    root: Path
    lock: threading.Lock
    layers: Lowers
    keys: dict[str, Digest | None]
    unpacking: dict[Digest, threading.Event]
    bin: Bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What becomes of a tree in work: see `contract.Layer`."""

    chain: Digest
    diff_id: Digest
    size: int
    own_root: bool = False


@dataclass(slots=True)
class Sealing:
    """Turns trees in work into layers; every call blocks and may come from any thread."""

    shelves: Shelves
    _pending: list[Layer] = field(default_factory=list)
    _flushing: threading.Lock = field(default_factory=threading.Lock)

    def seal(self, key: str, seal: Seal) -> Layer:
        """Make the tree in work *key*, which nobody uses any more, the layer that *seal* tells; *key* is gone then.

        Where *seal.chain* is sealed already, that stays and the tree is discarded. Raises NoSuchKey, Conflict when
        *seal.chain* is not *seal.diff_id* on the chain that *key* stands on.
        """
        parent = self._parent(key)
        if _chain_of(parent, seal.diff_id) != seal.chain:
            raise Conflict(f"{seal.chain} is not layer {seal.diff_id} on {parent}")
        while True:
            known, running = self._claim(seal.chain)
            if known is not None:
                self._discard(key)
                return known
            if running is None:
                break
            running.wait()
        try:
            with exhaustion(f"sealing {key} as {seal.chain}"):
                return self._move(key, parent, seal)
        finally:
            with self.shelves.lock:
                self.shelves.unpacking.pop(seal.chain).set()

    def shelve(self, layer: Layer, *, durable: bool = False) -> None:
        """Let *layer*, whose folder bears its name but no record yet, be known; on the disk it is after `flush`.

        With *durable* it is on the disk first.
        """
        if durable:
            self._flush([layer])
        with self.shelves.lock:
            self.shelves.layers.add(layer)
            if not durable:
                self._pending.append(layer)

    def flush(self) -> None:
        """Return when all that was sealed is on the disk, first the files, then the records that tell of them."""
        with self._flushing:  # whoever finds nothing to do must not go on before it is done
            with self.shelves.lock:
                pending, self._pending = self._pending, []
            if pending:
                self._flush(pending)

    def _flush(self, pending: list[Layer]) -> None:
        root = os.open(self.shelves.root, _FOLDER)
        try:
            with exhaustion("writing layers to the disk"):
                syncfs(root)
                for layer in pending:
                    with suppress(FileNotFoundError):  # removed since
                        records.save(self.shelves.root / layer.chain.value, layer, durable=False)
                syncfs(root)
        finally:
            os.close(root)

    def _parent(self, key: str) -> Digest | None:
        with self.shelves.lock:
            if key not in self.shelves.keys:
                raise NoSuchKey(f"no such tree in work: {key[:128]}")
            return self.shelves.keys[key]

    def _claim(self, chain: Digest) -> tuple[Layer | None, threading.Event | None]:
        """The layer if it is there; else who makes it now; else it is ours to make."""
        shelves = self.shelves
        with shelves.lock:
            known, running = shelves.layers.find(chain), shelves.unpacking.get(chain)
            if known is None and running is None:
                shelves.unpacking[chain] = threading.Event()
            return known, running

    def _move(self, key: str, parent: Digest | None, seal: Seal) -> Layer:
        shelves = self.shelves
        staged = shelves.root / "staging" / os.urandom(16).hex()
        staged.mkdir(mode=0o700)
        link = shelves.layers.make_link(seal.chain)
        layer = Layer(
            chain=seal.chain,
            parent=parent,
            diff_id=seal.diff_id,
            size=seal.size,
            link=link,
            own_root=seal.own_root,
            opaque=False,
        )
        try:
            (shelves.root / key / "diff").rename(staged / "diff")
            with suppress(FileNotFoundError):  # what stands there has no record, or it would be known
                shelves.bin.put(shelves.root / seal.chain.value)
            staged.rename(shelves.root / seal.chain.value)
        except BaseException:
            shelves.layers.drop_link(link)
            raise
        self.shelve(layer)
        self._discard(key)
        return layer

    def _discard(self, key: str) -> None:
        shelves = self.shelves
        with shelves.lock:
            with suppress(FileNotFoundError):
                shelves.bin.put(shelves.root / key)
            shelves.keys.pop(key, None)


def _chain_of(parent: Digest | None, diff: Digest) -> Digest:
    return diff if parent is None else Digest.of(f"{parent} {diff}".encode())
