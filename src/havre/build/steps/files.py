"""COPY and ADD: from what is written to a layer. What the files are decides whether it is done at all (`checksum`)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from havre.build.archives import is_archive
from havre.build.context import Context
from havre.build.fetching import Fetched
from havre.build.graph import CopyOperation
from havre.build.layers import Workshop
from havre.build.model import BuildFailed, LayerMade, Tree
from havre.build.steps.checksum import SumWishes, checksum
from havre.build.steps.copying import CopyWishes, Sources, copy_all
from havre.build.steps.modes import parse_mode
from havre.build.steps.owners import find_owner
from havre.build.steps.picking import Picked, leaver, pick
from havre.build.steps.sharing import Shared, fill_places
from havre.kernel.inroot import open_in_root
from havre.snapshots.contract import View

_GIT_FOLDERS = (".git", "**/.git")
Place = Context | Tree
"""Where the files are: what the client sent, or a stage's or an image's tree."""


@dataclass(frozen=True, slots=True)
class Copying:
    """One COPY or ADD of a build."""

    workshop: Workshop
    operation: CopyOperation
    place: Place
    fetched: tuple[Fetched, ...] = ()
    """What ADD got from elsewhere: its addresses are no sources any more."""

    def content(self) -> str:
        """The digest of all that would be copied; blocks. Raises BuildFailed."""
        operation = self.operation
        with opened(self.workshop, self.place) as root:
            picked = pick(root, operation.sources, word=self._word)
            wishes = SumWishes(leaver(operation.excludes), owners=self._keeps_owners, paths=operation.parents)
            local = checksum(root, picked, wishes)
        return " ".join((local, *map(_sum_of, self.fetched)))

    def make(self, tree: Tree, times_ns: int | None) -> LayerMade | None:
        """The layer on *tree*; blocks. Raises BuildFailed, BadArchive."""
        operation, trees = self.operation, self.workshop.trees
        with opened(self.workshop, self.place) as source, self.workshop.opened(tree) as key:
            picked = tuple(pick(source, operation.sources, word=self._word))
            fetched = [self._from_elsewhere(one) for one in self.fetched]
            self._check(len(picked) + len(operation.files) + sum(len(one.picked) for one in fetched))
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
                for one in fetched:
                    copy_all(one, root, replace(wishes, shared=None))
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

    def _from_elsewhere(self, fetched: Fetched) -> Sources:
        """What was fetched; an archive stays one unless the Dockerfile says otherwise."""
        picked = tuple(pick(fetched.context.root, fetched.sources, word=self._word))
        unpacked = frozenset(one for one in picked if not one.is_folder) if self.operation.unpack else frozenset()
        return Sources(fetched.context.root, picked, archives=unpacked)

    def _check(self, count: int) -> None:
        if count > 1 and not self.operation.destination.endswith("/"):
            raise BuildFailed(
                f"When using {self._word} with more than one source file, "
                "the destination must be a directory and end with a /"
            )

    def _archives(self, root: int, picked: tuple[Picked, ...]) -> frozenset[Picked]:
        if not self.operation.is_add or self.operation.unpack is False:
            return frozenset()
        return frozenset(one for one in picked if not one.is_folder and _is_archive(root, one.path))


def _sum_of(fetched: Fetched) -> str:
    """A repository's own folder differs from clone to clone: there the commit stands for it."""
    root = fetched.context.root
    leaves_out = leaver(_GIT_FOLDERS) if fetched.commit else None
    return f"{fetched.commit}{checksum(root, pick(root, fetched.sources), SumWishes(leaves_out))}"


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
        return is_archive(handle)
    finally:
        os.close(handle)
