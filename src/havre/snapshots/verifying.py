"""Sealed layers beside the archives that they were made of: what differs, and how it is mended."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from itertools import islice
from pathlib import Path

from havre.base.atomic import sync_folder
from havre.base.errors import InvalidInput
from havre.content.reader import Readable
from havre.kernel.files import syncfs
from havre.kernel.removing import remove_tree
from havre.oci.digest import Digest
from havre.snapshots.comparing import differences
from havre.snapshots.contract import Layer, LayerInUse, NoSuchLayer
from havre.snapshots.layer import apply_layer
from havre.snapshots.lowers import private_mount
from havre.snapshots.overlay import Overlay

_MOST_DIFFERENCES = 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def verify_layer(snapshots: Overlay, chain: Digest, stream: Readable, *, mend: bool = False) -> tuple[str, ...]:
    """How the files of a sealed layer differ from its uncompressed archive *stream*, the first twenty; blocks.

    With *mend* a layer that differs is replaced, the damaged one kept in `lost+found`. Raises NoSuchLayer,
    InvalidInput when *stream* is not the layer's archive, LayerInUse when it cannot be replaced now.
    """
    layer = snapshots.find(chain)
    if layer is None:
        raise NoSuchLayer(f"no such layer: {chain}")
    staged = snapshots.root / "staging" / os.urandom(16).hex()
    with ExitStack() as undo:
        (staged / "diff").mkdir(parents=True, mode=0o755)
        undo.callback(_abandon, staged)
        tree = os.open(staged / "diff", _FOLDER)
        undo.callback(os.close, tree)
        applied = apply_layer(stream, tree, _below(snapshots, layer, undo))
        if applied.diff_id != layer.diff_id:
            raise InvalidInput(f"the archive of layer {chain} has diff id {applied.diff_id}, not {layer.diff_id}")
        found = _compared(tree, snapshots.root / chain.value / "diff")
        if found and mend:
            if is_used(snapshots, chain):
                raise LayerInUse(f"layer {chain} is damaged, and in use: {found[0]}")
            syncfs(tree)
            _replace(snapshots.root, staged, chain)
    return found


def is_used(snapshots: Overlay, chain: Digest) -> bool:
    """Whether a tree in work stands on *chain*."""
    return chain in used_chains(snapshots)


def used_chains(snapshots: Overlay) -> frozenset[Digest]:
    """All that trees in work stand on."""
    found: set[Digest] = set()
    names = snapshots.keys()
    for name in names:
        try:
            top = Digest.parse(str((snapshots.root / name / "chain").readlink()))
        except (OSError, InvalidInput):
            continue
        found.update(layer.chain for layer in snapshots.layers.stack(top) or ())
    return frozenset(found)


def _below(snapshots: Overlay, layer: Layer, undo: ExitStack) -> Callable[[], int] | None:
    parent = layer.parent
    if parent is None:
        return None

    def mount() -> int:
        lowers = snapshots.layers.paths(parent)
        handle = private_mount((*lowers, f"{snapshots.root}/empty"))
        undo.callback(os.close, handle)
        return handle

    return cache(mount)


def _compared(tree: int, place: Path) -> tuple[str, ...]:
    try:
        actual = os.open(place, _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return ("all its files are missing",)
    try:
        return tuple(islice(differences(tree, actual), _MOST_DIFFERENCES))
    finally:
        os.close(actual)


def _replace(root: Path, staged: Path, chain: Digest) -> None:
    """Cut in between, the layer is one without files: damage that the next check finds."""
    place = root / chain.value / "diff"
    if place.exists():
        place.rename(root / "lost+found" / f"{chain.value}.{os.urandom(4).hex()}")
    (staged / "diff").rename(place)
    sync_folder(place.parent)


def _abandon(staged: Path) -> None:
    parent = os.open(staged.parent, _FOLDER)
    try:
        remove_tree(parent, staged.name)
    finally:
        os.close(parent)
