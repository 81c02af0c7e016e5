"""Files that a RUN may write to and that are thrown away after it: `RUN --mount=type=bind,rw`."""

import os
from pathlib import Path

from havre.base.errors import InvalidInput
from havre.build.seams import ImagePart
from havre.engine.parts import Parts
from havre.engine.staged import put_mount
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.kernel.mounts import AT_EMPTY_PATH, OPEN_TREE_CLONE, MountAttr, open_tree
from havre.kernel.overlay_options import named_options
from havre.kernel.overlays import detached_overlay
from havre.oci.runtime_spec import Mount


def stage_writable(parts: Parts, key: str, number: int, part: ImagePart) -> Mount:
    """Mount *part* on the host, changes going to a tree of its own; how a container mounts it. Blocks.

    `staged.unstage_all` takes it down, for it stands among the other staged mounts of *key*. Raises InvalidInput.
    """
    place = parts.folders.exec_root / "mounts" / key / f"w{number}"
    own = f"{key}-{place.name}"
    (mount,) = parts.snapshots.prepare(own, None if part.folder else part.chain)
    named = named_options(mount.options or ())
    lowers = [part.folder] if part.folder else named["lowerdir"].split(":")
    options = [(name, named[name]) for name in ("upperdir", "workdir")]
    # A part of a mount can be taken only once the mount stands somewhere: open_tree(2).
    whole = place.with_name(f"{place.name}-whole")
    put_mount(detached_overlay(lowers, options, int(MountAttr.NODEV)), whole)
    root = os.open(whole, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _put(root, part, place)
    finally:
        os.close(root)
    return Mount(destination=part.target, type="bind", source=str(place), options=["bind", "rprivate"])


def _put(root: int, part: ImagePart, place: Path) -> None:
    try:
        found = open_in_root(root, "/" + part.subpath, os.O_PATH)
    except KernelError as missing:
        why = os.strerror(missing.errno or 0).lower()
        raise InvalidInput(f"cannot mount {part.subpath} on {part.target}: {why}") from None
    try:
        put_mount(open_tree(found, "", OPEN_TREE_CLONE | AT_EMPTY_PATH), place)
    finally:
        os.close(found)
