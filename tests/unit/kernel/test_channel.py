import array
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.kernel.channel import (
    DESCRIPTOR_LIMIT,
    INLINE_LIMIT,
    MESSAGE_LIMIT,
    Channel,
    ChannelClosed,
    connect,
    listen,
)
from havre.kernel.libc import KernelError
from tests.support.forked import descriptors


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    one, other = Channel.pair()
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize("size", [0, 1, INLINE_LIMIT, INLINE_LIMIT + 1, 5 << 20])
@pytest.mark.parametrize("count", [0, 1, DESCRIPTOR_LIMIT])
def test_messages_arrive_whole_with_their_descriptors(pair: tuple[Channel, Channel], size: int, count: int) -> None:
    data = os.urandom(size)
    handles = [os.memfd_create(f"m{number}") for number in range(count)]
    pair[0].send(data, handles)
    received, fds = pair[1].receive()
    try:
        assert received == data
        assert [os.fstat(fd).st_ino for fd in fds] == [os.fstat(fd).st_ino for fd in handles]
        assert not any(os.get_inheritable(fd) for fd in fds)
    finally:
        for fd in [*fds, *handles]:
            os.close(fd)


def test_messages_keep_their_bounds(pair: tuple[Channel, Channel]) -> None:
    for data in (b"one", b"", b"three"):
        pair[0].send(data)
    assert [pair[1].receive()[0] for _ in range(3)] == [b"one", b"", b"three"]


def test_the_end_is_told(pair: tuple[Channel, Channel]) -> None:
    pair[0].send(b"last")
    pair[0].close()
    assert pair[1].receive() == (b"last", [])
    with pytest.raises(ChannelClosed):
        pair[1].receive()
    with pytest.raises(ChannelClosed):
        pair[1].send(b"anybody?")


def test_the_last_words_of_an_end_that_read_nothing_arrive(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.send(b"never read")
    other.send(b"last words")
    other.close()
    assert one.receive() == (b"last words", [])
    with pytest.raises(ChannelClosed):
        one.receive()


def test_without_blocking_nobody_waits(pair: tuple[Channel, Channel]) -> None:
    for end in pair:
        end.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        pair[0].receive()
    sent = 0

    def fill() -> None:
        nonlocal sent
        while True:
            pair[0].send(b"%d" % sent)
            sent += 1

    with pytest.raises(BlockingIOError):
        fill()
    assert [pair[1].receive()[0] for _ in range(sent)] == [b"%d" % number for number in range(sent)]


def test_limits_are_kept(pair: tuple[Channel, Channel]) -> None:
    with pytest.raises(ValueError, match="limit"):
        pair[0].send(bytes(MESSAGE_LIMIT + 1))
    with pytest.raises(ValueError, match="limit"):
        pair[0].send(b"", [0] * (DESCRIPTOR_LIMIT + 1))


@pytest.mark.parametrize("raw", [b"m", b"x" * (INLINE_LIMIT + 2)])
def test_what_no_channel_sends_is_refused(pair: tuple[Channel, Channel], raw: bytes) -> None:
    pair[0].socket.send(raw)
    with pytest.raises(ValueError, match="came in"):
        pair[1].receive()


def test_memory_that_can_still_change_is_refused(pair: tuple[Channel, Channel]) -> None:
    handle = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    os.write(handle, b"now this, then that")
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))
    pair[0].socket.sendmsg([b"m"], [rights])
    os.close(handle)
    with pytest.raises(ValueError, match="memory"):
        pair[1].receive()


@pytest.mark.parametrize("depth", [1, 30])
def test_sockets_at_short_and_long_paths(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["folder-of-16-byte"] * depth)
    folder.mkdir(parents=True)
    path = folder / "shim.sock"
    with pytest.raises(KernelError) as caught:
        connect(path)
    assert caught.value.errno == errno.ENOENT
    server = listen(path, mode=0o660)
    client = connect(path)
    accepted, _ = server.accept()
    try:
        assert path.stat().st_mode & 0o777 == 0o660
        Channel(client).send(b"hello")
        assert Channel(accepted).receive() == (b"hello", [])
        with pytest.raises(KernelError) as caught:
            listen(path)
        assert caught.value.errno == errno.EADDRINUSE
    finally:
        for sock in (server, client, accepted):
            sock.close()
    with pytest.raises(KernelError) as caught:
        connect(path)
    assert caught.value.errno == errno.ECONNREFUSED
