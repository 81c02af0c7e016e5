"""Drafts: bytes that arrive under a name, over several lives of the process, and whose digest is told at their end."""

import io
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from havre.base.errors import InvalidInput
from havre.content.errors import NoSuchBlob
from havre.content.ingest import BlobWriter
from havre.content.leases import Lease
from havre.oci.digest import Digest

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,199}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is there of it: the name that its owner gave, its bytes so far, seconds since the last of them."""

    name: str
    size: int
    idle_s: float


class Drafts:
    """The drafts of one store, by name: one file each, which `commit` of its writer turns into a blob.

    A name belongs to one writer at a time; its owner sees to that. Bytes that were written survive the end of
    the process; after a power cut there may be fewer of them, so whoever resumes asks how many there are.
    """

    def __init__(self, folder: Path, placer: Callable[[Lease | None], Callable[[Digest], Path]]) -> None:
        self._folder = folder
        self._placer = placer

    def lay_out(self) -> None:
        """Make the folder."""
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def writer(self, name: str, *, algorithm: str = "sha256", lease: Lease | None = None) -> BlobWriter:
        """Begin the draft *name*, or go on at its end. Raises InvalidInput."""
        writer = BlobWriter(self._path(name), self._placer(lease), algorithm, resume=True)
        try:
            writer.catch_up()
        except BaseException:
            writer.suspend()
            raise
        return writer

    def find(self, name: str) -> Draft:
        """What is there of *name*. Raises NoSuchBlob, InvalidInput."""
        try:
            state = self._path(name).stat()
        except FileNotFoundError:
            raise NoSuchBlob(f"no such draft: {name}") from None
        return Draft(name, state.st_size, max(0.0, time.time() - state.st_mtime))

    def open_file(self, name: str) -> io.FileIO:
        """What is there of *name*, to be read while more arrives; it stays readable when it becomes a blob.

        Raises NoSuchBlob.
        """
        try:
            return io.FileIO(os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
        except FileNotFoundError:
            raise NoSuchBlob(f"no such draft: {name}") from None

    def list(self) -> tuple[Draft, ...]:
        """All of them, in no order."""
        found: list[Draft] = []
        for entry in self._folder.iterdir():
            with suppress(InvalidInput, NoSuchBlob):  # gone meanwhile, or not ours
                found.append(self.find(entry.name))
        return tuple(found)

    def discard(self, name: str) -> None:
        """Forget *name*; to forget what is not there is no error."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise InvalidInput(f"invalid name of a draft: {name[:160]!r}")
        return self._folder / name
