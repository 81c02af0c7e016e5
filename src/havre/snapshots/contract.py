"""What a store of file trees offers.

A *chain* names a sealed tree: the digest of a stack of layers, which never changes. A *key* names a tree in
work on top of one: the writable root of something that runs or is being built. Trees in work are prepared,
used through their mounts, and discarded; sealed ones come from `unpack` and go with `remove`.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from havre.base.errors import Conflict, NotFound
from havre.content.reader import Readable
from havre.oci.digest import Digest
from havre.oci.runtime_spec import Mount


class NoSuchLayer(NotFound):
    """No sealed tree of this chain, or not all that it stands on."""


class NoSuchKey(NotFound):
    """No tree in work has this key."""


class KeyTaken(Conflict):
    """A tree in work has this key already."""


class LayerInUse(Conflict):
    """Another layer or a tree in work stands on it."""


class ParentMissing(Conflict):
    """The layer takes files or attributes from the tree below it, which is not sealed yet.

    Nothing was kept; unpack the same layer again once its parent is sealed.
    """


class View(Enum):
    """What of a tree in work to look at."""

    WHOLE = "the tree as its user sees it, read-only"
    WRITABLE = "the same, for writing: while nobody else has it mounted"
    BELOW = "what it stands on, read-only"
    OWN = "what it changed, in overlayfs' form"


@dataclass(frozen=True, slots=True)
class Layer:
    """A sealed layer: the topmost of the stack that *chain* names.

    *size* is the sum of its files' sizes, as `docker history` shows it. *link* is its short name.
    *own_root* tells that the archive described its root folder; if not, the root looks as the parent's.
    *opaque* tells that nothing below shows through anywhere.
    """

    chain: Digest
    parent: Digest | None
    diff_id: Digest
    size: int
    link: str
    own_root: bool
    opaque: bool


class Unpacked(NamedTuple):
    """What `unpack` made, and the length of the uncompressed archive: 0 when it was sealed already."""

    layer: Layer
    tar_bytes: int


class Snapshots(Protocol):
    """A store of layered file trees; every call blocks and may come from any thread."""

    def unpack(self, chain: Digest, parent: Digest | None, stream: Readable, *, durable: bool = False) -> Unpacked:
        """Seal the tar archive *stream*, compressed or not, as the layer that makes *chain* of *parent*.

        Layers of one stack may be unpacked at the same time. On the disk the layer is after `Sealing.flush`; with
        *durable* it is there before anybody knows it.
        Unpacking what is sealed already answers at once and reads nothing. Raises InvalidInput for an archive
        that is damaged, hostile or not the one that *chain* names, ParentMissing (see there),
        ResourceExhausted; nothing is kept then.
        """

    def has(self, chain: Digest) -> bool:
        """Whether *chain* and all that it stands on are sealed."""

    def remove(self, chain: Digest) -> None:
        """Forget a layer. Raises LayerInUse; an unknown chain is no error."""

    def prepare(self, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        """Open a tree in work on *chain*, or on nothing. Raises KeyTaken, NoSuchLayer."""

    def mounts(self, key: str) -> tuple[Mount, ...]:
        """How to mount the tree in work. Raises NoSuchKey."""

    def mounted(self, key: str, view: View = View.WHOLE) -> AbstractContextManager[int]:
        """A handle on the root of the tree in work, for as long as the context lasts; no mount is visible anywhere.

        Every view but WRITABLE may also be had while a user of the tree has it mounted. Raises NoSuchKey.
        """

    def usage(self, key: str) -> int:
        """Bytes that the tree in work holds by itself. Raises NoSuchKey."""

    def discard(self, key: str, *, files: bool = True) -> None:
        """Forget a tree in work and its files; quick, for the files go later. An unknown key is no error.

        Without *files* it is forgotten at once and its layers are free, but its files wait, and its key is taken, until
        they are discarded too; that call does not block.
        """
