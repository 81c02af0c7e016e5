import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.logs.files import LogFiles
from havre.logs.json_file import JSONFileWriter
from havre.logs.packed import pack
from havre.logs.rotating import Limits
from tests.support.forked import descriptors


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x-json.log"


@pytest.fixture
def files(path: Path) -> Iterator[LogFiles]:
    made = LogFiles(str(path))
    yield made
    made.close()
    made.close()


def drain(files: LogFiles) -> list[int]:
    found: list[int] = []
    while (batch := files.read()) is not None:
        found += [int(line.data) for line in batch]
    return found


def write(path: Path, numbers: range, *, max_size: int = 0, max_files: int = 0) -> None:
    writer = JSONFileWriter(path, Limits(max_size, max_files))
    for number in numbers:
        writer.write(1, b"%d\n" % number)
    writer.close()


def test_all_files_are_one_text(path: Path, files: LogFiles) -> None:
    write(path, range(100), max_size=700)
    assert len(os.listdir(path.parent)) > 5
    files.open(None, bounded=True)
    assert drain(files) == list(range(100))


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 55, 99, 100, 101, 5000])
@pytest.mark.parametrize("max_size", [0, 700])
def test_the_tail_is_found_from_the_end(path: Path, files: LogFiles, count: int, max_size: int) -> None:
    write(path, range(100), max_size=max_size)
    files.open(count, bounded=True)
    assert drain(files) == list(range(100))[max(0, 100 - count) :]


def test_a_tail_longer_than_a_block(path: Path, files: LogFiles) -> None:
    write(path, range(20_000))
    files.open(12_345, bounded=True)
    assert drain(files) == list(range(20_000 - 12_345, 20_000))


def test_a_tail_does_not_count_the_last_newline_and_counts_a_line_being_written(path: Path, files: LogFiles) -> None:
    write(path, range(5))
    with path.open("ab") as file:
        file.write(b'{"log":"5')
    files.open(2, bounded=False)
    assert drain(files) == [4]
    with path.open("ab") as file:
        file.write(b'\\n","stream":"stdout","time":"2026-11-23T22:18:25Z"}\n')
    assert drain(files) == [5]


def test_an_empty_and_a_missing_log(path: Path, files: LogFiles) -> None:
    files.open(5, bounded=True)
    assert files.read() is None
    files.close()
    path.touch()
    files.open(5, bounded=True)
    assert files.read() is None


def test_what_is_written_later_is_not_of_a_bounded_reading(path: Path, files: LogFiles) -> None:
    write(path, range(5))
    files.open(None, bounded=True)
    write(path, range(5, 9))
    assert drain(files) == list(range(5))


def test_reading_goes_on_through_rotations(path: Path, files: LogFiles) -> None:
    files.open(None, bounded=False)
    assert files.read() is None
    found: list[int] = []
    writer = JSONFileWriter(path, Limits(500, 4))
    for number in range(300):
        writer.write(1, b"%d\n" % number)
        if number % 7 == 0:
            found += drain(files)
    writer.close()
    assert found + drain(files) == list(range(300))


def test_reading_goes_on_through_many_rotations_at_once(path: Path, files: LogFiles) -> None:
    write(path, range(10), max_size=300, max_files=20)
    files.open(None, bounded=False)
    found = drain(files)
    write(path, range(10, 60), max_size=300, max_files=20)
    assert found + drain(files) == list(range(60))


def test_the_last_words_of_a_rotated_file_are_read(path: Path, files: LogFiles) -> None:
    write(path, range(3))
    files.open(None, bounded=False)
    assert drain(files) == [0, 1, 2]
    write(path, range(3, 5))
    path.rename(f"{path}.1")
    write(path, range(5, 7))
    assert drain(files) == [3, 4, 5, 6]


def test_one_outrun_goes_on_with_what_is_left(path: Path, files: LogFiles) -> None:
    write(path, range(5), max_size=300, max_files=2)
    files.open(None, bounded=False)
    drain(files)
    write(path, range(5, 100), max_size=300, max_files=2)
    found = drain(files)
    assert found == list(range(found[0], 100))


def test_a_single_file_that_starts_anew(path: Path, files: LogFiles) -> None:
    write(path, range(3), max_size=150, max_files=1)
    files.open(None, bounded=False)
    found = drain(files)
    write(path, range(3, 20), max_size=150, max_files=1)
    assert drain(files)[-1] == 19
    assert found[-1] == 2


def test_a_file_emptied_in_place(path: Path, files: LogFiles) -> None:
    write(path, range(9))
    files.open(None, bounded=False)
    assert drain(files) == list(range(9))
    os.truncate(path, 0)
    write(path, range(2))
    assert drain(files) == [0, 1]


def test_reading_goes_on_where_a_file_was_packed_meanwhile(path: Path, files: LogFiles) -> None:
    files.open(None, bounded=False)
    assert files.read() is None
    found: list[int] = []
    writer = JSONFileWriter(path, Limits(3000, 50, compress=True))
    for number in range(1000):
        writer.write(1, b"%d\n" % number)
        if number % 53 == 0:
            found += drain(files)
    writer.close()
    assert found + drain(files) == list(range(1000))
    assert any(name.endswith(".gz") for name in os.listdir(path.parent))


@pytest.mark.parametrize("count", [1, 60, 200])
def test_packed_files_are_read_like_others(path: Path, files: LogFiles, count: int) -> None:
    write(path, range(200), max_size=3000)
    for number in (1, 2):
        pack(f"{path}.{number}")
    files.open(count, bounded=True)
    assert drain(files) == list(range(200 - count, 200))
