from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.atomic import sync_folder, write_file
from tests.support.handles import handles


def test_a_file_appears_whole_with_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    write_file(target, b"one", mode=0o640)
    assert target.read_bytes() == b"one"
    assert target.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["state.json"]


def test_the_default_mode_is_for_the_owner_alone(tmp_path: Path) -> None:
    write_file(tmp_path / "secret", b"")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / "state"
    write_file(target, b"a long old content")
    with target.open("rb") as reader:
        write_file(target, b"new")
        assert reader.read() == b"a long old content"
    assert target.read_bytes() == b"new"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"untouched")
    (tmp_path / "state").symlink_to(outside)
    write_file(tmp_path / "state", b"new")
    assert outside.read_bytes() == b"untouched"
    assert not (tmp_path / "state").is_symlink()


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data)[:3]))
    write_file(tmp_path / "state", b"0123456789")
    assert (tmp_path / "state").read_bytes() == b"0123456789"


class Crash(BaseException):
    """What no `except Exception` catches, like a signal."""


def _crash(*_: object, **__: object) -> None:
    raise Crash


def _break_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", _crash)


def _break_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _crash)


def _break_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "rename", _crash)


@pytest.mark.parametrize("sabotage", [_break_write, _break_fsync, _break_rename])
@pytest.mark.parametrize("old", [b"old", None])
def test_a_failed_step_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, sabotage: Callable[[pytest.MonkeyPatch], None], old: bytes | None
) -> None:
    target = tmp_path / "state"
    if old is not None:
        target.write_bytes(old)
    with pytest.MonkeyPatch.context() as monkeypatch:
        sabotage(monkeypatch)
        with pytest.raises(Crash):
            write_file(target, b"new")
    assert os.listdir(tmp_path) == ([] if old is None else ["state"])
    assert old is None or target.read_bytes() == old


def test_a_failed_sync_of_the_folder_leaves_the_new_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("havre.base.atomic.sync_folder", _crash)
    with pytest.raises(Crash):
        write_file(tmp_path / "state", b"new")
    assert (tmp_path / "state").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("dies_in", ["write", "fsync", "rename"])
def test_a_process_that_dies_between_steps_leaves_the_old_content(tmp_path: Path, dies_in: str) -> None:
    target = tmp_path / "state"
    target.write_bytes(b"old")
    if (child := os.fork()) == 0:
        setattr(os, dies_in, lambda *_: os._exit(7))
        write_file(target, b"new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert target.read_bytes() == b"old"


def test_what_need_not_last_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _crash)
    write_file(tmp_path / "state", b"new", durable=False)
    assert (tmp_path / "state").read_bytes() == b"new"


def test_what_lasts_is_synced_before_and_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    rename = os.rename
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append(f"sync {os.path.isdir(f'/proc/self/fd/{handle}')}"))

    def told_rename(source: str, to: Path) -> None:
        steps.append("rename")
        rename(source, to)

    monkeypatch.setattr(os, "rename", told_rename)
    write_file(tmp_path / "state", b"new")
    assert steps == ["sync False", "rename", "sync True"]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = handles()
    write_file(tmp_path / "state", b"new")
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "missing" / "state", b"new")
    assert handles() <= before


def test_only_a_folder_can_be_synced(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
    sync_folder(tmp_path)


@given(data=st.binary(max_size=4096))
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    target = tmp_path_factory.getbasetemp() / "any"
    write_file(target, data, durable=False)
    assert target.read_bytes() == data
