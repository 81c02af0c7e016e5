import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import havre.logs.watch
from havre.kernel.libc import KernelError
from havre.logs.entries import LogLine
from havre.logs.follow import LogWishes, read_logs
from havre.logs.json_file import JSONFileWriter
from havre.logs.rotating import Limits
from tests.support.forked import descriptors

SECOND = 1_000_000_000
BASE = 1_795_472_305 * SECOND


@pytest.fixture(autouse=True)
def no_watch_left() -> Iterator[None]:
    yield
    assert not havre.logs.watch._hubs
    assert not [target for target in descriptors().values() if "inotify" in target]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x-json.log"


@pytest.fixture
def ten(path: Path) -> Path:
    """Ten lines, a second apart, the odd ones on stderr."""
    writer = JSONFileWriter(path)
    for number in range(10):
        writer.write(1 + number % 2, b"%d\n" % number, BASE + number * SECOND)
    writer.close()
    return path


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.data) for line in lines]


async def collect(path: Path, wishes: LogWishes, ended: asyncio.Event | None = None) -> list[LogLine]:
    return [line async for batch in read_logs(path, wishes, ended or asyncio.Event()) for line in batch]


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (LogWishes(), list(range(10))),
        (LogWishes(tail=3), [7, 8, 9]),
        (LogWishes(tail=0), []),
        (LogWishes(tail=-1), list(range(10))),
        (LogWishes(stderr=False), [0, 2, 4, 6, 8]),
        (LogWishes(stdout=False), [1, 3, 5, 7, 9]),
        (LogWishes(tail=3, stdout=False), [7, 9]),
        (LogWishes(since_ns=BASE + 6 * SECOND), [6, 7, 8, 9]),
        (LogWishes(until_ns=BASE + 2 * SECOND), [0, 1, 2]),
        (LogWishes(since_ns=BASE + 2 * SECOND, until_ns=BASE + 4 * SECOND), [2, 3, 4]),
        (LogWishes(follow=True, until_ns=BASE + 2 * SECOND), [0, 1, 2]),
    ],
)
async def test_wishes(ten: Path, wishes: LogWishes, expected: list[int]) -> None:
    assert numbers(await collect(ten, wishes)) == expected


async def test_lines_carry_stream_and_time(ten: Path) -> None:
    assert (await collect(ten, LogWishes(tail=1))) == [LogLine(BASE + 9 * SECOND, 2, b"9\n", False)]


async def test_a_log_that_is_not_there_is_empty(path: Path) -> None:
    assert await collect(path, LogWishes()) == []


async def test_following_ends_with_the_container(ten: Path) -> None:
    ended = asyncio.Event()
    ended.set()
    assert numbers(await collect(ten, LogWishes(follow=True, tail=2), ended)) == [8, 9]


async def test_what_is_written_before_the_end_is_read(path: Path) -> None:
    ended = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        reading = group.create_task(collect(path, LogWishes(follow=True), ended))
        await asyncio.sleep(0.05)
        writer = JSONFileWriter(path, Limits(300, 5))
        for number in range(12):
            writer.write(1, b"%d\n" % number)
        writer.close()
        ended.set()
    assert numbers(reading.result()) == list(range(12))


async def next_number(batches: AsyncIterator[list[LogLine]]) -> int:
    async with asyncio.timeout(10):
        (line,) = await anext(batches)
        return int(line.data)


@pytest.mark.parametrize("polling", [False, True])
async def test_following_wakes_for_each_line_and_rotation(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, polling: bool
) -> None:
    if polling:

        def refuse() -> int:
            raise KernelError.of(24, "inotify_init1")

        monkeypatch.setattr(havre.logs.watch, "inotify_open", refuse)
        monkeypatch.setattr(havre.logs.watch, "_POLL_S", 0.01)
    writer = JSONFileWriter(path, Limits(200, 3))
    writer.write(1, b"0\n")
    lines = read_logs(path, LogWishes(follow=True), asyncio.Event())
    assert await next_number(lines) == 0
    for number in range(1, 30):
        writer.write(1, b"%d\n" % number)
        assert await next_number(lines) == number
    writer.close()
    await lines.aclose()


async def test_a_folder_that_goes_away_does_not_end_it(tmp_path: Path) -> None:
    folder = tmp_path / "container"
    folder.mkdir()
    writer = JSONFileWriter(folder / "log")
    writer.write(1, b"1\n")
    ended = asyncio.Event()
    lines = read_logs(folder / "log", LogWishes(follow=True), ended)
    assert await next_number(lines) == 1
    writer.close()
    (folder / "log").unlink()
    folder.rmdir()
    ended.set()
    async with asyncio.timeout(10):
        assert [line async for line in lines] == []


async def test_the_time_limit_ends_it(path: Path) -> None:
    until = time.time_ns() + SECOND // 20
    async with asyncio.timeout(10):
        assert await collect(path, LogWishes(follow=True, until_ns=until)) == []


async def test_many_followers_share_one_descriptor(tmp_path: Path) -> None:
    followers, writers = [], []
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        writers.append(JSONFileWriter(folder / "log"))
        writers[-1].write(1, b"0\n")
        followers += [read_logs(folder / "log", LogWishes(follow=True), asyncio.Event()) for _ in range(2)]
    for lines in followers:
        assert await next_number(lines) == 0
    assert len([target for target in descriptors().values() if "inotify" in target]) == 1
    for writer in writers:
        writer.write(1, b"1\n")
        writer.close()
    for lines in followers:
        assert await next_number(lines) == 1
        await lines.aclose()


async def test_a_cancelled_reader_leaves_nothing_open(ten: Path) -> None:
    before = descriptors()
    waiting = asyncio.get_running_loop().create_task(collect(ten, LogWishes(follow=True)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert {fd: to for fd, to in descriptors().items() if str(ten.parent) in to} == {
        fd: to for fd, to in before.items() if str(ten.parent) in to
    }


async def test_the_loop_goes_on_under_a_flood(path: Path) -> None:
    """L-02's other side: whoever reads a big log leaves the loop to others."""
    writer = JSONFileWriter(path)
    writer.write(1, b"1\n" * 60_000)
    writer.close()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.get_running_loop().create_task(others())
    assert len(await collect(path, LogWishes())) == 60_000
    other.cancel()
    assert turns > 20
