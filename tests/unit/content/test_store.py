"""The blob store: C-01 (whole or nothing, leases), C-03 (damage is found), and the layout that others read."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.content.errors import DamagedBlob, DigestMismatch, NoSuchBlob
from havre.content.store import Content
from havre.oci.descriptor import OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest

DATA = os.urandom(3_000_000)
DIGEST = Digest.of(DATA)
OTHER = Digest.of(b"something else")


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return Content(tmp_path / "content")


def blobs(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()} - {"oci-layout", "index.json"}


def test_a_blob_comes_back_as_it_went_in(content: Content, tmp_path: Path) -> None:
    stored = content.ingest(io.BytesIO(DATA), DIGEST, len(DATA))
    assert (stored.digest, stored.size) == (DIGEST, len(DATA))
    assert content.has(DIGEST)
    assert content.size(DIGEST) == len(DATA)
    assert content.digests() == (DIGEST,)
    assert content.read_bytes(DIGEST, len(DATA)) == DATA
    with content.open(DIGEST) as blob:
        assert b"".join(iter(lambda: blob.read(70_001), b"")) == DATA
    assert blobs(tmp_path / "content") == {f"blobs/sha256/{DIGEST.value}"}


def test_a_sha512_blob(content: Content) -> None:
    digest = Digest("sha512", hashlib.sha512(DATA).hexdigest())
    assert content.ingest(io.BytesIO(DATA), digest).digest == digest
    assert content.read_bytes(digest, len(DATA)) == DATA


def test_the_empty_blob(content: Content) -> None:
    digest = content.ingest(io.BytesIO(b"")).digest
    assert content.read_bytes(digest, 0) == b""


@pytest.mark.parametrize(
    ("expected", "size"),
    [(OTHER, None), (OTHER, len(DATA)), (DIGEST, len(DATA) - 1), (DIGEST, len(DATA) + 1), (None, 5), (DIGEST, 0)],
)
def test_wrong_digest_or_size_leaves_nothing(
    content: Content, tmp_path: Path, expected: Digest | None, size: int | None
) -> None:
    with pytest.raises(DigestMismatch):
        content.ingest(io.BytesIO(DATA), expected, size)
    assert blobs(tmp_path / "content") == set()


def test_an_overlong_source_is_left_early(content: Content) -> None:
    class Endless:
        read_bytes = 0

        def read(self, size: int, /) -> bytes:
            self.read_bytes += size
            return bytes(size)

    source = Endless()
    with pytest.raises(DigestMismatch):
        content.ingest(source, DIGEST, 1000)
    assert source.read_bytes <= 1 << 20


def test_a_source_that_fails_leaves_nothing(content: Content, tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise ConnectionResetError("gone")
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        content.ingest(Failing(DATA), DIGEST)
    assert blobs(tmp_path / "content") == set()


def test_many_at_once_make_one(content: Content, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                content.ingest(io.BytesIO(DATA), DIGEST)
                assert content.read_bytes(DIGEST, len(DATA)) == DATA
        except BaseException as error:  # noqa: BLE001  told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert blobs(tmp_path / "content") == {f"blobs/sha256/{DIGEST.value}"}


def test_what_a_dead_owner_left_is_removed(tmp_path: Path) -> None:
    Content(tmp_path)
    (tmp_path / "ingest" / "half").write_bytes(b"half a blob")
    Content(tmp_path)
    assert blobs(tmp_path) == set()


def test_a_writer_that_is_not_committed_leaves_nothing(content: Content, tmp_path: Path) -> None:
    with content.writer() as blob:
        blob.write(DATA)
    assert blobs(tmp_path / "content") == set()


@pytest.mark.parametrize("position", [0, 1_500_000, len(DATA) - 1])
def test_a_flipped_bit_is_found(content: Content, tmp_path: Path, position: int) -> None:
    content.ingest(io.BytesIO(DATA))
    path = tmp_path / "content/blobs/sha256" / DIGEST.value
    damaged = bytearray(DATA)
    damaged[position] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedBlob):
        content.read_bytes(DIGEST, len(DATA))
    with content.open(DIGEST) as blob:
        given: list[bytes] = []
        with pytest.raises(DamagedBlob):
            given.extend(iter(lambda: blob.read(100_000), b""))
        assert sum(map(len, given)) < len(DATA)
    content.ingest(io.BytesIO(DATA), DIGEST)  # storing it again heals
    assert content.read_bytes(DIGEST, len(DATA)) == DATA


def test_a_cut_blob_is_found(content: Content, tmp_path: Path) -> None:
    content.ingest(io.BytesIO(DATA))
    os.truncate(tmp_path / "content/blobs/sha256" / DIGEST.value, 0)
    with content.open(DIGEST) as blob, pytest.raises(DamagedBlob):
        blob.read(10)


def test_a_damaged_blob_is_set_aside(content: Content) -> None:
    content.ingest(io.BytesIO(DATA))
    content.set_aside(DIGEST)
    assert not content.has(DIGEST)
    with pytest.raises(NoSuchBlob):
        content.set_aside(DIGEST)


def test_unknown_blobs(content: Content) -> None:
    assert not content.has(OTHER)
    for ask in (content.size, content.open):
        with pytest.raises(NoSuchBlob):
            ask(OTHER)
    assert content.delete(OTHER)


def test_a_document_over_its_limit_is_not_read(content: Content) -> None:
    content.ingest(io.BytesIO(DATA))
    with pytest.raises(InvalidInput):
        content.read_bytes(DIGEST, 1000)


def test_a_sweep_takes_what_nobody_needs(content: Content) -> None:
    kept = content.ingest(io.BytesIO(b"kept")).digest
    lost = content.ingest(io.BytesIO(b"lost"))
    with content.lease() as lease:
        held = content.ingest(io.BytesIO(b"held"), lease=lease).digest
        assert content.sweep(lambda: {kept}) == (lost,)
        assert not content.delete(held)
        assert set(content.digests()) == {kept, held}
    assert content.delete(held)


def test_a_lease_that_ends_during_a_sweep_still_counts(content: Content) -> None:
    """The load records its image after the sweep read the records: its content must stay."""
    lease = content.lease()
    stored = content.ingest(io.BytesIO(b"arrives"), lease=lease)

    def keep() -> set[Digest]:
        lease.__exit__(None, None, None)
        with content.lease() as late:
            content.ingest(io.BytesIO(b"later"), lease=late)
        return set()

    assert content.sweep(keep) == ()
    assert {d.digest for d in content.sweep(set)} == {stored.digest, Digest.of(b"later")}


def test_the_folder_is_an_image_layout(content: Content, tmp_path: Path) -> None:
    root = tmp_path / "content"
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((root / "index.json").read_text())["manifests"] == []
    manifests = (
        Descriptor(
            media_type=OCI_MANIFEST,
            digest=str(DIGEST),
            size=7,
            annotations={"org.opencontainers.image.ref.name": "x"},
        ),
    )
    content.index.write(manifests)
    assert content.index.read() == manifests
    assert Content(root).index.read() == manifests
    (root / "index.json").write_text("{")
    with pytest.raises(DamagedBlob):
        content.index.read()


def test_other_tools_files_are_not_ours(content: Content, tmp_path: Path) -> None:
    (tmp_path / "content/blobs/sha256/README").write_text("x")
    assert content.digests() == ()
    content.sweep(set)
    assert (tmp_path / "content/blobs/sha256/README").exists()


def test_file_then_name_then_folder(content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C-02: the order in which a blob and the index become durable."""
    calls: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(handle: int) -> None:
        calls.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{handle}')).parent.name}")
        real_fsync(handle)

    def rename(source: Path, target: Path) -> None:
        calls.append(f"rename {Path(target).parent.name}")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    content.ingest(io.BytesIO(DATA))
    assert calls == ["fsync ingest", "rename sha256", "fsync blobs"]
    calls.clear()
    content.index.write([])
    assert calls == ["fsync content", "rename content", f"fsync {tmp_path.name}"]
