from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from havre.base.errors import InternalError, NotSupported
from havre.engine.model import BindMount, Record, TmpfsMount
from havre.engine.records import SCHEMA_VERSION, Records
from havre.engine.settings import Config, HostConfig
from tests.fakes.rooms import make_image


def record(number: int) -> Record:
    return Record(
        id=f"{number:064x}",
        name=f"name{number}",
        created_ns=number,
        image_id=make_image("busybox").id,
        chain="",
        config=Config(image="busybox", cmd=["sh"], labels={"a": "b"}),
        host=HostConfig(memory=7 << 20, masked_paths=[]),
        mounts=(BindMount(source="/a", destination="/b"), TmpfsMount(destination="/c", options=("ro",))),
        args=("sh",),
    )


async def test_what_is_saved_is_found_again_in_order(tmp_path: Path) -> None:
    records = Records(tmp_path / "havre.db")
    assert records.open().records == ()
    await asyncio.gather(*(records.save(record(number)) for number in range(20)))
    await records.save(record(3))
    await records.forget(record(5).id)
    await records.close()
    again = Records(tmp_path / "havre.db")
    found = again.open()
    assert [one.id for one in found.records] == [record(number).id for number in range(20) if number != 5]
    assert found.records[0] == record(0)
    assert found.clean
    await again.close()


async def test_an_unclean_end_is_told(tmp_path: Path) -> None:
    records = Records(tmp_path / "havre.db")
    assert not records.open().clean  # nobody was here before
    await records.save(record(1))
    await records.close(clean=False)
    again = Records(tmp_path / "havre.db")
    assert not again.open().clean
    await again.close()


async def test_changes_that_survive_the_process_need_no_clean_end(tmp_path: Path) -> None:
    records = Records(tmp_path / "havre.db")
    records.open()
    await records.save(record(1), durable=False)
    with sqlite3.connect(tmp_path / "havre.db") as other:  # as the next process would see it
        assert other.execute("SELECT count(*) FROM containers").fetchone() == (1,)
    await records.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE containers SET body = x'00' WHERE rowid = 1",
        "UPDATE containers SET body = CAST(replace(CAST(body AS TEXT), 'name0', 'nameX') AS BLOB) WHERE rowid = 1",
        "UPDATE containers SET crc = 1 WHERE rowid = 1",
        "UPDATE containers SET id = 'other' WHERE rowid = 1",
        "UPDATE containers SET body = x'' WHERE rowid = 1",
    ],
)
async def test_a_damaged_record_is_set_aside_and_the_others_work(tmp_path: Path, damage: str) -> None:
    records = Records(tmp_path / "havre.db")
    records.open()
    await asyncio.gather(*(records.save(record(number)) for number in range(3)))
    await records.close()
    with sqlite3.connect(tmp_path / "havre.db") as db:
        db.execute(damage)
    again = Records(tmp_path / "havre.db")
    found = again.open()
    assert [one.name for one in found.records] == ["name1", "name2"]
    assert len(found.damaged) == 1
    await again.save(record(7))
    await again.close()
    third = Records(tmp_path / "havre.db")
    assert len(third.open().damaged) == 1  # it stays set aside
    await third.close()


async def test_a_newer_schema_is_refused_without_a_write(tmp_path: Path) -> None:
    path = tmp_path / "havre.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
        db.execute("CREATE TABLE future (x)")
    before = path.read_bytes()
    with pytest.raises(NotSupported, match=r"newer havre"):
        Records(path).open()
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "havre.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(InternalError, match=r"is not a database"):
        Records(path).open()


async def test_the_engines_id_is_made_once(tmp_path: Path) -> None:
    records = Records(tmp_path / "havre.db")
    records.open()
    assert records.fact("id", lambda: "first") == "first"
    assert records.fact("id", lambda: "second") == "first"
    await records.close()


async def test_a_failed_write_reaches_who_waits(tmp_path: Path) -> None:
    records = Records(tmp_path / "havre.db")
    records.open()
    with sqlite3.connect(tmp_path / "havre.db") as db:
        db.execute("DROP TABLE containers")
    with pytest.raises(InternalError, match=r"cannot write"):
        await records.save(record(1))
    await records.close()


async def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    records = Records(tmp_path / "havre.db")
    records.open()
    await records.close()
    with pytest.raises(InternalError):
        _ = records.save(record(1))
