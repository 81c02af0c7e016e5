"""The blob store: an OCI image layout (image-spec, image-layout.md) that other tools read as it is."""

import io
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from havre.base.atomic import sync_folder, write_file
from havre.base.errors import InvalidInput
from havre.base.exhaustion import exhaustion
from havre.content.awaited import Awaited
from havre.content.drafts import Drafts
from havre.content.errors import DigestMismatch, NoSuchBlob
from havre.content.index import LayoutIndex
from havre.content.ingest import BlobWriter, Stored
from havre.content.leases import Lease, Leases
from havre.content.reader import BlobReader, Readable
from havre.kernel.files import syncfs
from havre.oci.digest import Digest

PIECE_BYTES = 1 << 20
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_ALGORITHMS = ("sha256", "sha512")


class Content:
    """Blobs under their digest, in `blobs/<algorithm>/<hex>`; a name there means the whole blob, on the disk.

    All calls block and may come from any thread; one process at a time owns the folder. What a dead
    owner left half-written is removed when the next one opens the store, but for what may arrive over several
    lives of the process: `partial` blobs, and `drafts`, whose digest is told only at their end.

    Nothing keeps a blob but a lease, while work is in progress, and the records of whoever calls
    `sweep`: so work holds a lease from before it looks for or writes its blobs until the record that
    names them is durable.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / "ingest"
        self._partial = root / "partial"
        self._lost = root / "lost+found"
        self._leases = Leases()
        self.index = LayoutIndex(root / "index.json")
        self.drafts = Drafts(root / "drafts", self._placer)
        with exhaustion(f"opening the blob store {root}"):
            self._lay_out()
            self.awaited = Awaited(root / "awaited")

    def lease(self) -> Lease:
        """A fresh lease, to be used as a context manager."""
        return Lease(self._leases)

    def writer(self, *, algorithm: str = "sha256", lease: Lease | None = None) -> BlobWriter:
        """A context in which one blob is written piece by piece; it appears at `commit` or not at all."""
        return BlobWriter(self._staging / os.urandom(16).hex(), self._placer(lease), algorithm)

    def flush(self) -> None:
        """Return when every blob that was committed without being durable is on the disk."""
        handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with exhaustion("writing blobs to the disk"):
                syncfs(handle)
        finally:
            os.close(handle)

    def ingest(
        self,
        source: Readable,
        expected: Digest | None = None,
        size: int | None = None,
        *,
        lease: Lease | None = None,
        durable: bool = True,
    ) -> Stored:
        """Store what *source* gives; without *durable* it is on the disk after the next `flush`.

        Raises DigestMismatch, leaving nothing, unless it is *expected* and has *size* bytes (where given); an
        overlong source is left at the first byte too many. Storing what is there already is no error.
        """
        algorithm = expected.algorithm if expected else "sha256"
        with self.writer(algorithm=algorithm, lease=lease) as blob:
            while piece := source.read(PIECE_BYTES):
                if size is not None and blob.size + len(piece) > size:
                    raise DigestMismatch(f"blob {expected or ''} has more than the {size} bytes promised")
                blob.write(piece)
            return blob.commit(expected, size, durable=durable)

    def partial(self, digest: Digest, lease: Lease) -> BlobWriter:
        """A blob that may have begun to arrive before, and may arrive in part again; one at a time for each digest."""
        lease.hold(digest)
        return BlobWriter(self._part(digest), self._path, digest.algorithm, resume=True)

    def open(self, digest: Digest) -> BlobReader:
        """The blob as a stream that verifies itself; close it. Raises NoSuchBlob."""
        with exhaustion(f"reading blob {digest}"):
            try:
                handle = os.open(self._path(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                raise NoSuchBlob(f"no such blob: {digest}") from None
        return BlobReader(handle, digest)

    def open_file(self, digest: Digest) -> io.FileIO:
        """The blob's file as it lies there, for the kernel to send: who receives it verifies. Raises NoSuchBlob."""
        reader = self.open(digest)
        return io.FileIO(reader.detach_handle())

    def verify(self, digest: Digest) -> None:
        """Read the whole blob. Raises NoSuchBlob, DamagedBlob."""
        with self.open(digest) as blob:
            while blob.read(PIECE_BYTES):
                pass
            if blob.size == 0:
                blob.verify_empty()

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        """The whole blob, verified. Raises NoSuchBlob, DamagedBlob, or InvalidInput beyond *limit* bytes."""
        with self.open(digest) as blob:
            if blob.size > limit:
                raise InvalidInput(f"blob {digest} of {blob.size} bytes is larger than {limit}")
            return blob.readall()

    def has(self, digest: Digest) -> bool:
        """Whether the blob is stored. Only under a lease does the answer stay true."""
        return self._path(digest).is_file()

    def size(self, digest: Digest) -> int:
        """Bytes of the blob. Raises NoSuchBlob."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            raise NoSuchBlob(f"no such blob: {digest}") from None

    def digests(self) -> tuple[Digest, ...]:
        """All blobs, in no order."""
        found: list[Digest] = []
        for algorithm in _ALGORITHMS:
            for entry in (self._root / "blobs" / algorithm).iterdir():
                try:
                    found.append(Digest.parse(f"{algorithm}:{entry.name}"))
                except InvalidInput:  # another tool's file: not ours to count or to remove
                    continue
        return tuple(found)

    def delete(self, digest: Digest) -> bool:
        """Remove the blob, and what has come of it, unless a lease holds it; tells whether it is gone.

        Records that name it go first.
        """

        def act() -> None:
            self._path(digest).unlink(missing_ok=True)
            self._part(digest).unlink(missing_ok=True)

        return self._leases.unless_held(digest, act)

    def set_aside(self, digest: Digest) -> None:
        """Move a damaged blob to `lost+found/`, so that it is fetched again when it is needed."""
        self._lost.mkdir(mode=0o700, exist_ok=True)
        try:
            self._path(digest).rename(self._lost / f"{digest.algorithm}-{digest.value}")
        except FileNotFoundError:
            raise NoSuchBlob(f"no such blob: {digest}") from None

    def sweep(self, keep: Callable[[], Collection[Digest]]) -> tuple[Stored, ...]:
        """Remove the blobs that neither *keep* names, nor a lease holds, nor unfinished work awaits; which they were.

        *keep* reads the records; it is called once, after leases began to count for this sweep.
        """
        removed: list[Stored] = []
        with self._leases.sweeping():
            kept = frozenset(keep()) | self.awaited.digests()
            self._sweep_partial(kept)
            for digest in self.digests():
                if digest in kept:
                    continue
                with suppress(NoSuchBlob):  # someone deleted it meanwhile
                    size = self.size(digest)
                    if self.delete(digest):
                        removed.append(Stored(digest, size))
        return tuple(removed)

    def _sweep_partial(self, kept: frozenset[Digest]) -> None:
        for file in list(self._partial.iterdir()):
            try:
                digest = Digest.parse(file.name.replace("-", ":", 1))
            except InvalidInput:
                file.unlink()
                continue
            if digest not in kept:
                self._leases.unless_held(digest, partial(file.unlink, missing_ok=True))

    def _placer(self, lease: Lease | None) -> Callable[[Digest], Path]:
        def place(digest: Digest) -> Path:
            if lease is not None:
                lease.hold(digest)
            return self._path(digest)

        return place

    def _path(self, digest: Digest) -> Path:
        return self._root / "blobs" / digest.algorithm / digest.value

    def _part(self, digest: Digest) -> Path:
        return self._partial / f"{digest.algorithm}-{digest.value}"

    def _lay_out(self) -> None:
        for algorithm in _ALGORITHMS:
            (self._root / "blobs" / algorithm).mkdir(mode=0o755, parents=True, exist_ok=True)
        self._staging.mkdir(mode=0o700, exist_ok=True)
        self._partial.mkdir(mode=0o700, exist_ok=True)
        self.drafts.lay_out()
        for leftover in self._staging.iterdir():
            leftover.unlink()
        if not (self._root / "oci-layout").exists():
            write_file(self._root / "oci-layout", _LAYOUT, mode=0o644)
        self.index.make()
        sync_folder(self._root)
