"""Lines to a syslog daemon: the three forms, priorities, options."""

import os
import re
import socket
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.logs.syslog import FACILITIES, SyslogWriter, facility, parse_address

NOW = 1_700_000_000_123_456_789


def writer(listener: socket.socket, **options: str) -> SyslogWriter:
    return SyslogWriter({"syslog-address": f"unixgram://{listener.getsockname()}", **options}, "tag")


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("", rb"<30>Nov 1[45] \d\d:\d\d:20 tag\[\d+\]: hello\n"),
        ("rfc3164", rb"<30>Nov 1[45] \d\d:\d\d:20 HOST tag\[\d+\]: hello\n"),
        ("rfc5424", rb"<30>1 2023-11-1[45]T\d\d:\d\d:20(Z|[+-]\d\d:\d\d) HOST tag \d+ tag - hello\n"),
        ("rfc5424micro", rb"<30>1 2023-11-1[45]T\d\d:\d\d:20\.123456(Z|[+-]\d\d:\d\d) HOST tag \d+ tag - hello\n"),
    ],
)
def test_forms(listener: socket.socket, form: str, pattern: bytes) -> None:
    made = writer(listener, **{"syslog-format": form})
    made.write(1, b"hello\n", NOW)
    assert re.fullmatch(pattern.replace(b"HOST", re.escape(os.uname().nodename.encode())), listener.recv(999))
    made.close()


@pytest.mark.parametrize(
    ("stream", "name", "priority"), [(1, "local3", 158), (2, "local3", 155), (2, "", 27), (1, "0", 6)]
)
def test_priorities(listener: socket.socket, stream: int, name: str, priority: int) -> None:
    made = writer(listener, **{"syslog-facility": name})
    made.write(stream, b"x\n", NOW)
    assert listener.recv(999).startswith(b"<%d>" % priority)
    made.close()


def test_a_rest_without_newline_goes_at_the_end(listener: socket.socket) -> None:
    made = writer(listener)
    made.write(1, b"one\ntwo", NOW)
    assert listener.recv(999).endswith(b": one\n")
    made.close()
    assert listener.recv(999).endswith(b": two\n")


def test_facilities() -> None:
    assert [facility(name) for name in ("", "daemon", "kern", "local7", "23", "0")] == [3, 3, 0, 23, 23, 0]
    for wrong in ("nope", "24", "-1", "100"):
        with pytest.raises(ValueError, match="invalid syslog facility"):
            facility(wrong)
    assert len(FACILITIES) == 24


def test_addresses() -> None:
    assert parse_address("") is None
    found = parse_address("tcp://[::1]:601")
    assert found is not None
    assert (found.kind, found.place, found.stream) == ("tcp", "[::1]:601", True)
    for wrong in ("nope://x", "udp://host:port"):
        with pytest.raises(ValueError, match=r"socket|invalid literal"):
            parse_address(wrong)


def test_a_daemon_that_is_gone_is_told_at_the_start_only(tmp_path: Path) -> None:
    options = {"syslog-address": f"unixgram://{tmp_path}/none"}
    with pytest.raises(KernelError):
        SyslogWriter(options, "tag")
    later = SyslogWriter(options, "tag", eager=False)
    later.write(1, b"waits\n", NOW)
    assert (later.peer.waiting, later.peer.lost_lines) == (True, 0)
