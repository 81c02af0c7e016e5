"""A peer that lines are sent to: slow, gone, and back."""

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.logs import peer as module
from havre.logs.peer import Address, Peer

DEADLINE_S = 30


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    """Whatever happens, no descriptor stays open."""
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits a second for the next attempt, nor three for last words that nobody hears."""
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    monkeypatch.setattr(module, "_LAST_WORDS_S", 0.05)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Where the peer listens."""
    return str(tmp_path / "peer")


def bound(place: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(place)
    made.settimeout(DEADLINE_S)
    return made


def listening(place: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(place)
    made.listen(1)
    made.settimeout(DEADLINE_S)
    return made


def caught_up(peer: Peer, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline
        peer.catch_up()
        time.sleep(0.005)


@pytest.mark.parametrize("text", ["tcp+tls", "", "pipe"])
def test_other_kinds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no kind of socket"):
        Address(text, "x")


def test_a_peer_that_is_not_there_at_first_is_told(place: str) -> None:
    with pytest.raises(KernelError, match="dial unixgram"):
        Peer(Address("unixgram", place))


def test_messages_keep_their_bounds_and_their_order(place: str) -> None:
    with bound(place) as there:
        peer = Peer(Address("unixgram", place))
        peer.send([b"one", b"two"])
        peer.send([b"three"])
        assert [there.recv(99) for _ in range(3)] == [b"one", b"two", b"three"]
        assert (peer.waiting, peer.behind) == (False, -1)
        peer.close()
    assert (peer.lost_lines, peer.lost_bytes) == (0, 0)


def test_while_a_peer_is_gone_everything_waits_for_it(place: str) -> None:
    with bound(place):
        peer = Peer(Address("unixgram", place))
    os.unlink(place)
    peer.send([b"one", b"two"])
    assert (peer.waiting, peer.behind, peer.lost_lines) == (True, -1, 0)
    with bound(place) as there:
        caught_up(peer, lambda: not peer.waiting)
        assert [there.recv(99), there.recv(99)] == [b"one", b"two"]
        peer.close()
    assert peer.lost_lines == 0


def test_without_a_first_attempt_a_peer_may_be_gone_from_the_start(place: str) -> None:
    peer = Peer(Address("unixgram", place), eager=False)
    peer.send([b"one"])
    assert peer.waiting
    with bound(place) as there:
        caught_up(peer, lambda: not peer.waiting)
        assert there.recv(99) == b"one"
        peer.close()


def test_a_stream_that_broke_gets_whole_messages_again(place: str) -> None:
    lines = [b"%06d" % number + b"x" * 993 + b"\n" for number in range(2000)]
    with listening(place) as door:
        peer = Peer(Address("unix", place))
        first, _ = door.accept()
        peer.send(lines)
        assert peer.waiting
        assert peer.behind >= 0
        first.recv(1500)
        first.close()
        caught_up(peer, lambda: bool(select.select([door], [], [], 0)[0]))
        second, _ = door.accept()
        second.settimeout(DEADLINE_S)
        got = b""
        while not got.endswith(lines[-1]):
            peer.catch_up()
            got += second.recv(1 << 20)
        second.close()
        peer.close()
    # What the first one had in its hands when it fell is gone; what came after begins with a whole message.
    assert got == b"".join(lines[lines.index(got[:1000]) :])
    assert peer.lost_lines == 0


def test_with_a_limit_what_is_over_it_is_counted(place: str) -> None:
    peer = Peer(Address("unixgram", place), 10, eager=False)
    peer.send([b"12345", b"12345", b"lost", b"lost too"])
    assert (peer.lost_lines, peer.lost_bytes) == (2, 12)
    with bound(place) as there:
        caught_up(peer, lambda: not peer.waiting)
        assert [there.recv(99), there.recv(99)] == [b"12345", b"12345"]
        peer.close()


def test_a_message_longer_than_the_limit_goes_alone(place: str) -> None:
    with bound(place) as there:
        peer = Peer(Address("unixgram", place), 2)
        peer.send([b"longer"])
        assert there.recv(99) == b"longer"
        peer.close()


def test_what_waits_at_the_end_is_lost_and_counted(place: str) -> None:
    peer = Peer(Address("unixgram", place), eager=False)
    peer.send([b"one", b"three"])
    peer.close()
    assert (peer.lost_lines, peer.lost_bytes, peer.waiting) == (2, 8, False)


def test_a_datagram_too_long_for_the_kernel_is_lost_alone(place: str) -> None:
    with bound(place) as there:
        peer = Peer(Address("unixgram", place))
        peer.send([b"x" * (8 << 20), b"short"])
        assert there.recv(99) == b"short"
        peer.close()
    assert peer.lost_lines == 1


def test_a_host_that_answers_by_refusals_loses_no_datagram_of_ours() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        port = there.getsockname()[1]
    peer = Peer(Address("udp", f"127.0.0.1:{port}"))
    peer.send([b"one", b"two", b"three"])  # nobody hears; each is answered by a refusal
    assert (peer.waiting, peer.lost_lines) == (False, 0)
    peer.close()


def test_a_tcp_peer_comes_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        peer = Peer(Address("tcp", f"127.0.0.1:{port}"))
        first, _ = door.accept()
        first.close()
    deadline = time.monotonic() + DEADLINE_S
    while not peer.waiting:  # the first words after a fall go into the kernel's hands
        assert time.monotonic() < deadline
        peer.send([b"gone\n"])
    with socket.create_server(("127.0.0.1", port)) as door:
        door.settimeout(DEADLINE_S)
        peer.send([b"heard\n"])
        caught_up(peer, lambda: not peer.waiting)
        second, _ = door.accept()
        with second:
            assert second.recv(1 << 16).endswith(b"heard\n")
        peer.close()
    assert peer.lost_lines == 0
