"""COPY and ADD: from what is written to a layer. What the files are decides whether it is done at all (`checksum`)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from havre.base.errors import NotSupported
from havre.build.context import Context
from havre.build.graph import CopyOperation
from havre.build.layers import Workshop
from havre.build.model import BuildFailed, LayerMade, Tree
from havre.build.steps.checksum import checksum
from havre.build.steps.copying import CopyWishes, FileReader, Sources, copy_all
from havre.build.steps.modes import parse_mode
from havre.build.steps.owners import find_owner
from havre.build.steps.picking import Picked, leaver, pick
from havre.build.steps.sharing import Shared, fill_places
from havre.kernel.inroot import open_in_root
from havre.snapshots.budget import BadArchive
from havre.snapshots.compression import Decompressed
from havre.snapshots.contract import View
from havre.snapshots.tar_header import BLOCK

Place = Context | Tree
"""Where the files are: what the client sent, or a stage's or an image's tree."""

_REMOTE = ("http://", "https://", "git://", "git@", "ssh://")
_MAGIC = slice(257, 262)


@dataclass(frozen=True, slots=True)
class Copying:
    """One COPY or ADD of a build."""

    workshop: Workshop
    operation: CopyOperation
    place: Place

    def content(self) -> str:
        """The digest of all that would be copied; blocks. Raises BuildFailed."""
        operation = self.operation
        refuse_remote(operation.sources)
        with opened(self.workshop, self.place) as root:
            picked = pick(root, operation.sources, word=self._word)
            return checksum(root, picked, leaver(operation.excludes), owners=self._keeps_owners)

    def make(self, tree: Tree, times_ns: int | None) -> LayerMade | None:
        """The layer on *tree*; blocks. Raises BuildFailed, BadArchive."""
        operation, trees = self.operation, self.workshop.trees
        with opened(self.workshop, self.place) as source, self.workshop.opened(tree) as key:
            picked = tuple(pick(source, operation.sources, word=self._word))
            self._check(picked)
            shared = Shared() if self._shares else None
            with trees.mounted(key, View.WRITABLE) as root:
                wishes = CopyWishes(
                    destination=operation.destination,
                    owner=None if self._keeps_owners else find_owner(root, operation.chown),
                    change_mode=parse_mode(operation.chmod),
                    parents=operation.parents,
                    leaves_out=leaver(operation.excludes),
                    word=self._word,
                    shared=shared,
                )
                documents = tuple((one.name, one.content.encode()) for one in operation.files)
                copy_all(Sources(source, picked, documents, self._archives(source, picked)), root, wishes)
            if shared is not None:
                fill_places(trees.diff_path(key), shared.places)
            return self.workshop.seal(key, tree, times_ns)

    @property
    def _shares(self) -> bool:
        """Whether files may be in the layer as they are in the context."""
        return isinstance(self.place, Context) and not self.operation.chown and not self.operation.chmod

    @property
    def _keeps_owners(self) -> bool:
        """Files of a stage or an image keep their owners, unless others are asked for."""
        return isinstance(self.place, Tree) and not self.operation.chown

    @property
    def _word(self) -> str:
        return "ADD" if self.operation.is_add else "COPY"

    def _check(self, picked: tuple[Picked, ...]) -> None:
        several = len(picked) + len(self.operation.files) > 1
        if several and not self.operation.destination.endswith("/"):
            raise BuildFailed(
                f"When using {self._word} with more than one source file, "
                "the destination must be a directory and end with a /"
            )

    def _archives(self, root: int, picked: tuple[Picked, ...]) -> frozenset[Picked]:
        if not self.operation.is_add or self.operation.unpack is False:
            return frozenset()
        return frozenset(one for one in picked if not one.is_folder and _is_archive(root, one.path))


def refuse_remote(sources: tuple[str, ...]) -> None:
    """Raises NotSupported for what would have to be fetched."""
    for source in sources:
        if source.startswith(_REMOTE):
            raise NotSupported(f"ADD {source[:256]}: fetching remote files is not available in this version of Havre")


@contextmanager
def opened(workshop: Workshop, place: Place) -> Iterator[int]:
    """A handle on the root of *place*."""
    if isinstance(place, Context):
        yield place.root
        return
    with workshop.opened(place) as key, workshop.trees.mounted(key) as root:
        yield root


def _is_archive(root: int, path: str) -> bool:
    handle = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        stream = Decompressed(FileReader(handle))
        block = b""
        while len(block) < BLOCK and (piece := stream.read(BLOCK - len(block))):
            block += piece
        return len(block) == BLOCK and (block[_MAGIC] == b"ustar" or _is_old_header(block))
    except (BadArchive, OSError):
        return False
    finally:
        os.close(handle)


def _is_old_header(block: bytes) -> bool:
    """A header from before there was a mark: its sum is right, and it is not all zeros."""
    try:
        told = int(block[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return told == sum(block[:148]) + 8 * 0x20 + sum(block[156:]) and any(block)
