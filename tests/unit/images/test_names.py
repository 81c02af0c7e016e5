from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from havre.base.errors import InternalError, ResourceExhausted
from havre.images.model import Layer
from havre.images.names import SCHEMA_VERSION, ImageRow, Names
from havre.oci.descriptor import OCI_INDEX, OCI_MANIFEST, Descriptor
from havre.oci.digest import Digest
from havre.oci.reference import Reference

A, B = (str(Digest.of(name)) for name in (b"a", b"b"))
INDEX = Descriptor(media_type=OCI_INDEX, digest=str(Digest.of(b"i")), size=4)
LAYER = Layer(chain=Digest.of(b"c"), diff=Digest.of(b"d"), size_bytes=5, tar_bytes=10)


def row(image_id: str, *, parent: str = "", tagged: int = 0) -> ImageRow:
    manifest = Descriptor(media_type=OCI_MANIFEST, digest=str(Digest.of(image_id.encode())), size=3)
    return ImageRow(id=image_id, manifest=manifest, parent=parent, last_tagged_ns=tagged)


def ref(text: str) -> Reference:
    return Reference.parse(text)


def test_what_was_added_is_read_again_from_the_file(tmp_path: Path) -> None:
    names = Names(tmp_path / "images.db")
    names.add(row(A, tagged=7), [LAYER], [ref("x:1"), ref("host:5000/y:2")])
    names.close()
    record = Names(tmp_path / "images.db").read()
    assert record.images == (row(A, tagged=7),)
    assert dict(record.names) == {ref("x:1"): A, ref("host:5000/y:2"): A}
    assert record.layers == (LAYER,)


def test_an_index_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    names, indexed = Names(tmp_path / "images.db"), replace(row(A), index=INDEX)
    names.add(indexed, [], [])
    assert names.read().images == (indexed,)
    names.forget_index(A)
    assert names.read().images == (row(A),)
    names.add(indexed, [], [])
    names.remove([], [A], [])
    names.add(row(A), [], [])
    assert names.read().images == (row(A),)


def test_a_record_without_indexes_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "images.db"
    names = Names(path)
    names.add(row(A), [LAYER], [ref("x:1")])
    names.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE indexes")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    names = Names(path)
    assert names.read().images == (row(A),)
    names.add(replace(row(A), index=INDEX), [], [])
    assert names.read().images == (replace(row(A), index=INDEX),)


def test_a_name_has_one_owner(tmp_path: Path) -> None:
    names = Names(tmp_path / "images.db")
    names.add(row(A), [], [ref("x:1")])
    names.add(row(B), [], [ref("x:1")])
    assert names.read().names == ((ref("x:1"), B),)
    names.tag(A, [ref("x:1")], 9)
    assert names.read().names == ((ref("x:1"), A),)


def test_adding_again_renews_and_never_forgets_a_length(tmp_path: Path) -> None:
    names = Names(tmp_path / "images.db")
    names.add(row(A, tagged=7), [LAYER], [])
    names.add(row(A, tagged=3), [Layer(chain=LAYER.chain, diff=LAYER.diff, size_bytes=6, tar_bytes=0)], [])
    record = names.read()
    assert record.images[0].last_tagged_ns == 7
    assert (record.layers[0].size_bytes, record.layers[0].tar_bytes) == (6, 10)


def test_removal_is_one_step_and_an_image_with_a_name_is_not_lost(tmp_path: Path) -> None:
    names = Names(tmp_path / "images.db")
    names.add(row(A), [LAYER], [ref("x:1"), ref("x:2")])
    with pytest.raises(sqlite3.IntegrityError):
        names.remove([ref("x:1")], [A], [LAYER.chain])
    assert len(names.read().names) == 2
    names.remove([ref("x:1"), ref("x:2")], [A], [LAYER.chain])
    assert names.read() == type(names.read())((), (), ())


def test_a_newer_schema_is_refused_without_a_write(tmp_path: Path) -> None:
    path = tmp_path / "images.db"
    Names(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InternalError, match="newer havre"):
        Names(path)
    assert path.read_bytes() == before


def test_damaged_rows_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "images.db"
    names = Names(path)
    names.add(row(A), [LAYER], [ref("x:1")])
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO images VALUES ('junk', 'x', 'y', 1, '', 0)")
        connection.execute("INSERT INTO images VALUES (?, ?, 'y', x'00', '', 0)", (B, B))
        connection.execute("INSERT INTO names VALUES ('NOT A NAME', ?)", (A,))
        connection.execute("INSERT INTO layers VALUES ('nothing', 'x', 1, 1)")
    connection.close()
    record = names.read()
    assert (len(record.images), len(record.names), len(record.layers)) == (1, 1, 1)
    assert caplog.text.count("damaged row") == 4


def test_a_record_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    names = Names(tmp_path / "images.db")
    names._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(ResourceExhausted, match=r"images\.db"):
        names.add(row(A), [], [])
    names._connection.execute("PRAGMA query_only = OFF")
    names.add(row(A), [], [])
