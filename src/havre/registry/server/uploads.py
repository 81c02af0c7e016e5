"""Uploads: blobs that arrive in one piece or in many, over as many connections and lives of the server as it takes."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread, to_the_end
from havre.content.errors import DigestMismatch, NoSuchBlob
from havre.content.ingest import BlobWriter
from havre.content.leases import Lease
from havre.content.store import Content
from havre.oci.digest import Digest
from havre.registry.server.needs import Needs
from havre.registry.server.ranges import Span, arrived
from havre.registry.server.records.blobs import BlobRecords
from havre.registry.server.refusal import Code, Refusal

ALGORITHMS: Final = ("sha256", "sha512")
_PIECE_BYTES: Final = 1 << 20
_OPEN_AT_MOST: Final = 512


class Upload:
    """One upload, of one repository; whoever holds its `lock` may call it.

    Its identity is the pair of repository and id: the id of one repository's upload finds nothing in another.
    """

    def __init__(self, content: Content, name: str, identity: str) -> None:
        self._content = content
        self._writer: BlobWriter | None = None
        self._lease: Lease | None = None
        self.name = name
        self.id = identity
        self.key = _key(name, identity)
        self.algorithm = "sha256"
        self.lock = asyncio.Lock()

    @property
    def location(self) -> str:
        """Where it is spoken to."""
        return f"/v2/{self.name}/blobs/uploads/{self.id}"

    def size(self) -> int:
        """Bytes that are there. Raises Refusal when the upload is gone."""
        if self._writer is not None:
            return self._writer.size
        try:
            return self._content.drafts.find(self.key).size
        except NoSuchBlob:
            raise _unknown() from None

    def resume(self) -> BlobWriter:
        """Its writer, at its end; what an earlier life of the server received is hashed first. Blocks."""
        if self._writer is None:
            self.size()
            self._lease = self._content.lease()
            self._writer = self._content.drafts.writer(self.key, algorithm=self.algorithm, lease=self._lease)
        return self._writer

    def suspend(self) -> None:
        """Give its file handle back until it is needed again."""
        if self._writer is not None:
            self._writer.suspend()
            self._writer = None

    def finish(self, records: BlobRecords, digest: Digest, limit: int) -> int:
        """Make what is there the blob *digest* of its repository, durably, and give its size. Blocks.

        Raises Refusal when the bytes are others; the upload is over then, since more bytes cannot mend it.
        """
        writer = self.resume()
        lease = self._lease or self._content.lease()
        with lease, writer:
            if writer.size > limit:
                writer.drop()
                raise Refusal(Code.SIZE_INVALID, f"a blob may have at most {limit} bytes", status=413)
            try:
                stored = writer.commit(digest)
            except DigestMismatch as error:
                raise Refusal(Code.DIGEST_INVALID, error.message, detail={"digest": str(digest)}) from None
            records.add(self.name, digest, stored.size)  # durable before the lease ends, and before anyone is told
        return stored.size


class Uploads:
    """All uploads of a registry; of one event loop."""

    def __init__(self, content: Content, records: BlobRecords, needs: Needs, limit_bytes: int) -> None:
        self._content = content
        self._records = records
        self._needs = needs
        self._limit_bytes = limit_bytes
        self._known: dict[str, Upload] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def start(self, name: str, algorithm: str = "") -> Upload:
        """Begin an upload whose id nobody can guess. Raises Refusal for an algorithm that is not known."""
        if algorithm and algorithm not in ALGORITHMS:
            raise Refusal(Code.DIGEST_INVALID, f"unsupported digest algorithm: {algorithm[:64]!r}")
        upload = Upload(self._content, name, os.urandom(32).hex())
        upload.algorithm = algorithm or "sha256"
        await in_thread(lambda: self._content.drafts.writer(upload.key).suspend())
        await self._remember(upload)
        return upload

    async def find(self, name: str, identity: str) -> Upload:
        """An upload that was started, in this life of the server or an earlier one. Raises Refusal."""
        key = _key(name, identity)
        if (known := self._known.get(key)) is not None:
            return known
        upload = Upload(self._content, name, identity)
        upload.size()
        await self._remember(upload)
        return upload

    async def receive(self, upload: Upload, body: AsyncIterator[bytes], chunk: Span | None, length: int | None) -> None:
        """Append *body*; with *chunk*, the place that the client says it has. The caller holds the lock.

        Raises Refusal when the place is not the upload's end, or when *length* or the bytes are not those of
        *chunk*. What arrived before a connection broke is kept.
        """
        writer = await in_thread(upload.resume)
        if chunk is not None and chunk.first != writer.size:
            raise out_of_order(upload)
        if chunk is not None and length is not None and length != chunk.size:
            raise Refusal(Code.SIZE_INVALID, f"the chunk has {length} bytes, not the {chunk.size} of its range")
        before = writer.size
        try:
            async for piece in _gathered(body):
                if writer.size + len(piece) > self._limit_bytes:
                    raise Refusal(Code.SIZE_INVALID, f"a blob may have at most {self._limit_bytes} bytes", status=413)
                await to_the_end(in_thread(writer.write, piece))  # another may close it once we are gone
                self._needs.upload_moved(upload.name, upload.key)
        finally:
            self._needs.upload_moved(upload.name, upload.key)
        if chunk is not None and writer.size - before != chunk.size:
            raise Refusal(Code.SIZE_INVALID, f"the chunk had {writer.size - before} bytes, not {chunk.size}")

    async def finish(self, upload: Upload, digest: Digest) -> int:
        """The upload becomes the blob *digest*; gives its size. The caller holds the lock. Raises Refusal."""
        self._needs.touch(upload.name, digest)
        try:
            return await to_the_end(in_thread(upload.finish, self._records, digest, self._limit_bytes))
        finally:
            self._forget(upload)

    async def cancel(self, upload: Upload) -> None:
        """Give the upload up, with what is there of it. The caller holds the lock."""
        self._forget(upload)
        await in_thread(self._content.drafts.discard, upload.key)

    async def purge(self, age_s: float) -> int:
        """Give up the uploads that received nothing for *age_s*; tells how many."""
        gone = 0
        for draft in await in_thread(self._content.drafts.list):
            known = self._known.get(draft.name)
            if draft.idle_s < age_s or (known is not None and known.lock.locked()):
                continue
            if known is not None:
                self._forget(known)
            await in_thread(self._content.drafts.discard, draft.name)
            gone += 1
        return gone

    def close(self) -> None:
        """Give all handles back; what is there of the uploads stays for the next life."""
        for upload in self._known.values():
            upload.suspend()

    async def _remember(self, upload: Upload) -> None:
        self._known[upload.key] = upload
        self._needs.upload_moved(upload.name, upload.key)
        if len(self._known) > _OPEN_AT_MOST:  # the oldest go back to the disk; they are found again when they go on
            idle = next((old for old in self._known.values() if not old.lock.locked() and old is not upload), None)
            if idle is not None:
                del self._known[idle.key]
                await in_thread(idle.suspend)

    def _forget(self, upload: Upload) -> None:
        self._known.pop(upload.key, None)
        self._needs.upload_ended(upload.key)
        upload.suspend()


def parse_final_digest(text: str | None) -> Digest:
    """The digest that ends an upload. Raises Refusal."""
    try:
        return Digest.parse(text or "")
    except InvalidInput as error:
        raise Refusal(Code.DIGEST_INVALID, error.message) from None


def out_of_order(upload: Upload) -> Refusal:
    """The chunk does not begin where the upload ends; the answer says where that is."""
    headers = {"Location": upload.location, "Range": arrived(upload.size()), "Docker-Upload-UUID": upload.id}
    return Refusal(Code.BLOB_UPLOAD_INVALID, "the chunk does not follow what is there", status=416, headers=headers)


async def _gathered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces that are worth a thread."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in body:
            parts.append(part)
            size += len(part)
            if size >= _PIECE_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
    except OSError:  # the connection broke: what came before that counts
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield b"".join(parts)


def _key(name: str, identity: str) -> str:
    return hashlib.sha256(f"{name}\n{identity}".encode()).hexdigest()


def _unknown() -> Refusal:
    return Refusal(Code.BLOB_UPLOAD_UNKNOWN, "no such upload")
