"""The writer, byte by byte as Docker writes: L-03 and, on a file size limit in place of a full disk, L-04."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.kernel.libc import KernelError
from havre.logs.json_file import JSONFileWriter, escaped_lines, quoted
from havre.logs.rotating import Limits
from havre.logs.sink import PARTIAL_LIMIT
from tests.support.forked import in_child

TIME = 1_795_472_305_123_456_789
STAMP = "2026-11-23T22:18:25.123456789Z"


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def logs_of(path: Path) -> list[str]:
    return [entry["log"] for entry in lines_of(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x-json.log"


def test_a_line_is_dockers_line(path: Path) -> None:
    writer = JSONFileWriter(path)
    writer.write(1, b"hello\n", TIME)
    writer.write(2, b"oops\n", TIME + 1)
    writer.close()
    assert path.read_text() == (
        f'{{"log":"hello\\n","stream":"stdout","time":"{STAMP}"}}\n'
        '{"log":"oops\\n","stream":"stderr","time":"2026-11-23T22:18:25.12345679Z"}\n'
    )
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (TIME - 123_456_789, "2026-11-23T22:18:25Z"),
        (TIME - 456_789, "2026-11-23T22:18:25.123Z"),
        (TIME - 123_456_788, "2026-11-23T22:18:25.000000001Z"),
    ],
)
def test_times_drop_trailing_zeros(path: Path, time_ns: int, text: str) -> None:
    writer = JSONFileWriter(path)
    writer.write(1, b"x\n", time_ns)
    writer.close()
    assert lines_of(path)[0]["time"] == text


def test_lines_come_together_from_pieces(path: Path) -> None:
    writer = JSONFileWriter(path)
    for piece in (b"a", b"b\nc", b"\n", b"\n", b"d\ne\nf"):
        writer.write(1, piece, TIME)
    assert logs_of(path) == ["ab\n", "c\n", "\n", "d\n", "e\n"]
    writer.close()
    assert logs_of(path)[-1] == "f"


def test_streams_do_not_mix(path: Path) -> None:
    writer = JSONFileWriter(path)
    for stream, piece in ((1, b"out"), (2, b"err"), (1, b"put\n"), (2, b"or\n")):
        writer.write(stream, piece, TIME)
    writer.close()
    assert [(entry["stream"], entry["log"]) for entry in lines_of(path)] == [
        ("stdout", "output\n"),
        ("stderr", "error\n"),
    ]


@pytest.mark.parametrize("chunk", [1 << 20, 4096, 1000])
@pytest.mark.parametrize(
    ("length", "pieces"),
    [
        (PARTIAL_LIMIT - 1, [PARTIAL_LIMIT]),
        (PARTIAL_LIMIT, [PARTIAL_LIMIT, 1]),
        (PARTIAL_LIMIT + 1, [PARTIAL_LIMIT, 2]),
        (2 * PARTIAL_LIMIT + 5, [PARTIAL_LIMIT, PARTIAL_LIMIT, 6]),
    ],
)
def test_long_lines_are_cut_at_16_kib(path: Path, chunk: int, length: int, pieces: list[int]) -> None:
    writer = JSONFileWriter(path)
    data = b"x" * length + b"\nnext\n"
    for number, start in enumerate(range(0, len(data), chunk)):
        writer.write(1, data[start : start + chunk], TIME + number)
    writer.close()
    entries = lines_of(path)
    assert [len(entry["log"]) for entry in entries] == [*pieces, 5]
    assert [entry["log"].endswith("\n") for entry in entries] == [*[False] * (len(pieces) - 1), True, True]
    assert len({entry["time"] for entry in entries[: len(pieces)]}) == 1


def test_the_end_of_a_long_line_without_newline(path: Path) -> None:
    writer = JSONFileWriter(path)
    writer.write(1, b"x" * (PARTIAL_LIMIT + 3), TIME)
    writer.end(1, TIME + 5)
    writer.write(1, b"y\n", TIME + 9)
    writer.close()
    assert [len(log) for log in logs_of(path)] == [PARTIAL_LIMIT, 3, 2]
    assert [entry["time"] for entry in lines_of(path)][:2] == [STAMP, STAMP]
    assert lines_of(path)[2]["time"] != STAMP


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'say "hi" \\ /', r'"say \"hi\" \\ /"'),
        (b"<a href=x&y>", r'"\u003ca href=x\u0026y\u003e"'),
        (b"a\tb", r'"a\u0009b"'),
        (b"\b\f\r\0\x1b[0m\x7f", '"\\u0008\\u000c\\r\\u0000\\u001b[0m\x7f"'),
        ("ü€😀".encode(), '"ü€😀"'),
        ("a\u2028b\u2029".encode(), r'"a\u2028b\u2029"'),
        (b"\xff", r'"\ufffd"'),
        (b"a\xe2\x82b", r'"a\ufffd\ufffdb"'),
        (b"\xed\xa0\x80", r'"\ufffd\ufffd\ufffd"'),
        (b"\xf0\x9f\x98", r'"\ufffd\ufffd\ufffd"'),
        (b"\xc0\x80<", r'"\ufffd\ufffd\u003c"'),
        (b'{"log":"fake\\n","stream":"stderr"}', r'"{\"log\":\"fake\\n\",\"stream\":\"stderr\"}"'),
    ],
)
def test_text_is_escaped_as_docker_does(data: bytes, text: str) -> None:
    assert quoted(data) == text


@given(st.binary())
def test_every_text_is_json_and_comes_back(data: bytes) -> None:
    text = quoted(data)
    assert "\n" not in text
    back = json.loads(text)
    try:
        assert back == data.decode()
    except UnicodeDecodeError:
        assert back.count("\ufffd") >= 1


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=60)), max_size=30))
def test_nothing_said_is_lost(tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, bytes]]) -> None:
    path = tmp_path_factory.mktemp("log") / "x"
    writer = JSONFileWriter(path)
    for stream, data in said:
        writer.write(stream, bytes(byte & 0x7F for byte in data))
    writer.close()
    for stream, name in ((1, "stdout"), (2, "stderr")):
        whole = b"".join(bytes(byte & 0x7F for byte in data) for number, data in said if number == stream)
        assert "".join(entry["log"] for entry in lines_of(path) if entry["stream"] == name) == whole.decode()


@given(st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)), max_size=8))
def test_many_lines_at_once_are_escaped_as_each_alone(lines: list[bytes]) -> None:
    text = b"\n".join(lines)
    assert escaped_lines(text) == b"\n".join(quoted(line)[1:-1].encode() for line in text.split(b"\n"))


def test_attributes_go_into_each_line(path: Path) -> None:
    writer = JSONFileWriter(path, attrs={"service": 'we"b', "a": "1"})
    writer.write(1, b"x\n", TIME)
    writer.close()
    assert path.read_text() == (
        f'{{"log":"x\\n","stream":"stdout","attrs":{{"a":"1","service":"we\\"b"}},"time":"{STAMP}"}}\n'
    )


# --- rotation


def names(path: Path) -> list[str]:
    return sorted(item.name for item in path.parent.iterdir())


@pytest.mark.parametrize(
    ("max_files", "kept"),
    [
        (1, ["x-json.log"]),
        (2, ["x-json.log", "x-json.log.1"]),
        (4, ["x-json.log", "x-json.log.1", "x-json.log.2", "x-json.log.3"]),
    ],
)
def test_rotation_keeps_the_newest_files(path: Path, max_files: int, kept: list[str]) -> None:
    writer = JSONFileWriter(path, Limits(1000, max_files))
    for number in range(200):
        writer.write(1, b"line %d\n" % number, TIME)
    writer.close()
    assert names(path) == kept
    logs = [log for name in reversed(kept) for log in logs_of(path.with_name(name))]
    assert logs == [f"line {number}\n" for number in range(200 - len(logs), 200)]
    entry = path.read_bytes().splitlines()[0]
    for name in kept[1:]:
        assert 1000 <= path.with_name(name).stat().st_size < 1000 + len(entry) + 5
    assert writer.lost_lines == 0


def test_one_write_may_fill_many_files(path: Path) -> None:
    writer = JSONFileWriter(path, Limits(500, 0))
    writer.write(1, b"".join(b"line %d\n" % number for number in range(100)), TIME)
    writer.close()
    files = sorted(path.parent.iterdir(), key=lambda item: int(item.suffix[1:]) if item.suffix != ".log" else 0)
    logs = [log for file in reversed(files) for log in logs_of(file)]
    assert logs == [f"line {number}\n" for number in range(100)]
    assert len(files) > 10


def test_a_size_reached_before_is_counted(path: Path) -> None:
    for number in range(3):
        writer = JSONFileWriter(path, Limits(70, 5))
        writer.write(1, b"start %d\n" % number, TIME)
        writer.close()
    assert names(path) == ["x-json.log", "x-json.log.1", "x-json.log.2"]


# --- trouble


def test_a_missing_folder_is_told(path: Path) -> None:
    with pytest.raises(KernelError, match=r"open log .*x-json\.log"):
        JSONFileWriter(path / "x-json.log")


def test_a_link_is_not_followed(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(KernelError):
        JSONFileWriter(path)
    assert not path.with_name("elsewhere").exists()


def test_a_torn_line_is_closed_off(path: Path) -> None:
    path.write_bytes(b'{"log":"torn')
    writer = JSONFileWriter(path)
    writer.write(1, b"whole\n", TIME)
    writer.close()
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"log":"torn'
    assert json.loads(whole)["log"] == "whole\n"


def with_file_limit(limit: int, body: Callable[[], None]) -> None:
    def inside() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        body()

    in_child(inside)


def test_a_full_disk_is_outlived_and_counted(path: Path) -> None:
    def body() -> None:
        writer = JSONFileWriter(path)
        for number in range(100):
            writer.write(1, b"line %d\n" % number, TIME)
        stored = len(logs_of(path))
        assert 5 < stored < 50
        assert writer.lost_lines == 100 - stored
        assert writer.lost_bytes > 0
        assert path.read_bytes().endswith(b"}\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.write(1, b"space again\n", TIME)
        writer.close()
        assert logs_of(path)[-1] == "space again\n"
        assert len(logs_of(path)) == stored + 1

    with_file_limit(2000, body)


def test_a_batch_on_a_full_disk_keeps_whole_lines(path: Path) -> None:
    def body() -> None:
        writer = JSONFileWriter(path)
        writer.write(1, b"".join(b"line %d\n" % number for number in range(100)), TIME)
        writer.close()
        logs = logs_of(path)
        assert logs == [f"line {number}\n" for number in range(len(logs))]
        assert len(logs) + writer.lost_lines == 100
        assert os.stat(path).st_size + writer.lost_bytes >= 100 * 70

    with_file_limit(2000, body)


def test_a_folder_that_went_away_does_not_stop_the_writer(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    writer = JSONFileWriter(folder / "x", Limits(50, 3))
    writer.write(1, b"one\n")
    (folder / "x").unlink()
    folder.rmdir()
    for _ in range(10):
        writer.write(1, b"more\n")
    writer.close()
    writer.close()
    folder.mkdir()
