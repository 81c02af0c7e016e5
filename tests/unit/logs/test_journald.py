"""Lines to the journal: its own protocol and Docker's fields."""

import re
import socket

import pytest

from havre.logs.journald import JournaldWriter, field_name

NOW = 1_700_000_000_123_456_789


def fields(raw: bytes) -> dict[bytes, bytes]:
    """By https://systemd.io/JOURNAL_NATIVE_PROTOCOL: a line each, or a name, a length and a value."""
    found: dict[bytes, bytes] = {}
    while raw:
        line, _, raw = raw.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(raw[:8], "little")
            value, raw = raw[8 : 8 + size], raw[9 + size :]
        found[name] = value
    return found


def heard(listener: socket.socket) -> dict[bytes, bytes]:
    return fields(listener.recv(1 << 18))


def test_a_line_has_dockers_fields(listener: socket.socket) -> None:
    writer = JournaldWriter({"CONTAINER_NAME": "one", "ODD": "two\nlines"}, listener.getsockname())
    writer.write(1, b"hello\n", NOW)
    first = heard(listener)
    epoch = first.pop(b"CONTAINER_LOG_EPOCH")
    assert re.fullmatch(rb"[0-9a-f]{64}", epoch)
    assert first == {
        b"MESSAGE": b"hello",
        b"PRIORITY": b"6",
        b"SYSLOG_TIMESTAMP": b"2023-11-14T22:13:20.123456789Z",
        b"CONTAINER_NAME": b"one",
        b"ODD": b"two\nlines",
        b"CONTAINER_LOG_ORDINAL": b"1",
    }
    writer.write(2, b"bad \xff\n", NOW)
    second = heard(listener)
    assert (second[b"MESSAGE"], second[b"PRIORITY"]) == (b"bad \xff", b"3")
    assert (second[b"CONTAINER_LOG_ORDINAL"], second[b"CONTAINER_LOG_EPOCH"]) == (b"2", epoch)
    writer.close()


@pytest.mark.parametrize(
    ("nanos", "stamp"), [(0, b"22:13:20Z"), (500_000_000, b"22:13:20.5Z"), (1, b"22:13:20.000000001Z")]
)
def test_times_drop_trailing_zeros(listener: socket.socket, nanos: int, stamp: bytes) -> None:
    writer = JournaldWriter({}, listener.getsockname())
    writer.write(1, b"x\n", 1_700_000_000_000_000_000 + nanos)
    assert heard(listener)[b"SYSLOG_TIMESTAMP"] == b"2023-11-14T" + stamp
    writer.close()


def test_pieces_of_a_long_line_are_counted(listener: socket.socket) -> None:
    writer = JournaldWriter({}, listener.getsockname())
    writer.write(1, b"x" * 20_000 + b"\n" + b"y" * 16_384, NOW)
    writer.end(1, NOW)
    heads = [heard(listener) for _ in range(3)]
    names = (b"CONTAINER_PARTIAL_ORDINAL", b"CONTAINER_PARTIAL_LAST", b"CONTAINER_PARTIAL_MESSAGE")
    assert [(len(head[b"MESSAGE"]), *map(head.get, names)) for head in heads] == [
        (16_384, b"1", b"false", b"true"),
        (3_616, b"2", b"true", None),
        (16_384, b"1", b"false", b"true"),
    ]
    first, second, other = (head[b"CONTAINER_PARTIAL_ID"] for head in heads)
    assert re.fullmatch(rb"[0-9a-f]{64}", first)
    assert first == second != other
    writer.close()


def test_the_end_of_a_stream_cuts_a_line_off(listener: socket.socket) -> None:
    writer = JournaldWriter({}, listener.getsockname())
    writer.write(1, b"rest", NOW)
    writer.close()
    rest = heard(listener)
    assert (rest[b"MESSAGE"], rest[b"CONTAINER_PARTIAL_ORDINAL"]) == (b"rest", b"1")
    assert (rest[b"CONTAINER_PARTIAL_LAST"], rest[b"CONTAINER_PARTIAL_MESSAGE"]) == (b"false", b"true")


@pytest.mark.parametrize(
    ("given", "taken"),
    [("com.docker.x", "COM_DOCKER_X"), ("_secret", "SECRET"), ("ä1", "1"), ("___", ""), ("a-b", "A_B")],
)
def test_names_of_fields(given: str, taken: str) -> None:
    assert field_name(given) == taken
