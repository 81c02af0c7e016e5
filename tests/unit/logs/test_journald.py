"""Lines to the journal: its own protocol and Docker's fields."""

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
    assert heard(listener) == {
        b"MESSAGE": b"hello",
        b"PRIORITY": b"6",
        b"SYSLOG_TIMESTAMP": b"2023-11-14T22:13:20.123456789Z",
        b"CONTAINER_NAME": b"one",
        b"ODD": b"two\nlines",
    }
    writer.write(2, b"bad\n", NOW)
    assert heard(listener)[b"PRIORITY"] == b"3"
    writer.close()


def test_pieces_of_a_long_line_are_marked(listener: socket.socket) -> None:
    writer = JournaldWriter({}, listener.getsockname())
    writer.write(1, b"x" * 20_000 + b"\n", NOW)
    first, second = heard(listener), heard(listener)
    assert (len(first[b"MESSAGE"]), first.get(b"CONTAINER_PARTIAL_MESSAGE")) == (16_384, b"true")
    assert (len(second[b"MESSAGE"]), second.get(b"CONTAINER_PARTIAL_MESSAGE")) == (3_616, None)
    writer.close()


@pytest.mark.parametrize(
    ("given", "taken"),
    [("com.docker.x", "COM_DOCKER_X"), ("_secret", "SECRET"), ("ä1", "1"), ("___", ""), ("a-b", "A_B")],
)
def test_names_of_fields(given: str, taken: str) -> None:
    assert field_name(given) == taken
