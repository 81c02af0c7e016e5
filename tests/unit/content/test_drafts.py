"""Drafts: they outlive the process, and become blobs only whole and right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.content.errors import DigestMismatch, NoSuchBlob
from havre.content.store import Content
from havre.oci.digest import Digest

DATA = os.urandom(2_500_000)
DIGEST = Digest.of(DATA)


def test_what_arrived_is_kept_over_lives_of_the_store(tmp_path: Path) -> None:
    first = Content(tmp_path).drafts.writer("upload-1")
    first.write(DATA[:1_500_000])
    first.suspend()
    content = Content(tmp_path)
    assert [(found.name, found.size) for found in content.drafts.list()] == [("upload-1", 1_500_000)]
    with content.drafts.writer("upload-1") as rest:
        assert rest.size == 1_500_000
        rest.write(DATA[1_500_000:])
        assert rest.commit(DIGEST, len(DATA)).digest == DIGEST
    assert content.drafts.list() == ()
    assert content.read_bytes(DIGEST, len(DATA)) == DATA


def test_wrong_bytes_become_nothing(tmp_path: Path) -> None:
    content = Content(tmp_path)
    with content.drafts.writer("a") as writer:
        writer.write(b"other")
        with pytest.raises(DigestMismatch):
            writer.commit(DIGEST)
    assert content.digests() == ()
    assert content.drafts.list() == ()


def test_a_lease_holds_the_blob_from_the_moment_it_appears(tmp_path: Path) -> None:
    content = Content(tmp_path)
    with content.lease() as lease, content.drafts.writer("a", lease=lease) as writer:
        writer.write(DATA)
        writer.commit(DIGEST)
        assert content.sweep(tuple) == ()
    assert [gone.digest for gone in content.sweep(tuple)] == [DIGEST]


def test_forgetting_twice_is_no_error(tmp_path: Path) -> None:
    drafts = Content(tmp_path).drafts
    drafts.writer("a").suspend()
    assert drafts.find("a").size == 0
    drafts.discard("a")
    drafts.discard("a")
    with pytest.raises(NoSuchBlob):
        drafts.find("a")


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "a\n", "A", "é", "a" * 201])
def test_a_name_is_one_plain_component(tmp_path: Path, name: str) -> None:
    drafts = Content(tmp_path).drafts
    for act in (drafts.writer, drafts.find, drafts.discard):
        with pytest.raises(InvalidInput):
            act(name)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    drafts = Content(tmp_path).drafts
    (tmp_path / "drafts" / "a").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        drafts.writer("a")
