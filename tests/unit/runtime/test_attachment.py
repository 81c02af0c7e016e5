"""One client's socket, without a container: back-pressure, the drop, the lingering end."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from havre.runtime.bundle import AttachWishes
from havre.runtime.shim import attachment as subject
from havre.runtime.shim.attachment import Attachment
from havre.runtime.shim.loop import Loop


class Streams:
    """Takes everything, remembers."""

    def __init__(self) -> None:
        self.taken = b""
        self.full = False
        self.events: list[str] = []

    def take_input(self, data: bytes) -> bool:
        self.taken += data
        return not self.full

    def input_ended(self, attachment: Attachment) -> None:  # noqa: ARG002  the seam's
        self.events.append("input ended")

    def drained(self) -> None:
        self.events.append("drained")

    def left(self, attachment: Attachment) -> None:  # noqa: ARG002  the seam's
        self.events.append("left")


class Scene:
    def __init__(self, wishes: AttachWishes) -> None:
        self.loop = Loop()
        self.streams = Streams()
        self.client, ours = socket.socketpair()
        self.client.settimeout(5)
        self.ends: list[bool] = []
        self.attachment = Attachment(ours, wishes, self.streams, self.loop, self.ends.append)
        self.attachment.start()

    def turn(self, until: object) -> None:
        """Serve until *until* holds."""
        deadline = time.monotonic() + 5

        def look() -> None:
            if until() or time.monotonic() > deadline:  # type: ignore[operator]
                self.loop.stopped = True
            else:
                self.loop.after(0.001, look)

        self.loop.stopped = False
        look()
        self.loop.run()
        assert until()  # type: ignore[operator]

    def close(self) -> None:
        self.attachment.close()
        self.client.close()
        self.loop.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(AttachWishes(stdin=True))
    yield made
    made.close()


def test_what_is_not_taken_is_kept_and_sent_later(scene: Scene) -> None:
    data = bytes(range(256)) * 8192
    scene.attachment.put(1, data)
    assert scene.attachment.pending
    received = bytearray()

    def all_there() -> bool:
        scene.client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            received.extend(scene.client.recv(1 << 20))
        return len(received) == len(data)

    scene.turn(all_there)
    assert received == data
    assert not scene.attachment.pending
    assert "drained" in scene.streams.events


def test_who_reads_nothing_is_dropped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PATIENCE_S", 0.01)
    scene.attachment.put(1, bytes(4 << 20))
    scene.turn(lambda: scene.ends)
    assert scene.ends == [False]
    assert scene.streams.events == ["left", "input ended", "drained"]


def test_input_waits_for_the_program(scene: Scene) -> None:
    scene.streams.full = True
    scene.client.sendall(b"one")
    scene.turn(lambda: scene.streams.taken == b"one")
    scene.client.sendall(b"two")
    scene.streams.full = False
    scene.attachment.resume_input()
    scene.turn(lambda: scene.streams.taken == b"onetwo")


def test_half_close_is_told_once(scene: Scene) -> None:
    scene.client.shutdown(socket.SHUT_WR)
    scene.turn(lambda: scene.streams.events)
    assert scene.streams.events == ["input ended"]


def test_the_end_waits_for_the_client_to_read(scene: Scene) -> None:
    scene.client.sendall(b"x" * 100)
    scene.attachment.put(1, b"last words")
    scene.attachment.finish()
    assert scene.client.recv(100) == b"last words"
    assert scene.client.recv(100) == b""
    assert not scene.ends
    scene.client.close()
    scene.turn(lambda: scene.ends)


def test_a_client_that_never_closes_is_left(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LINGER_S", 0.01)
    scene.attachment.finish()
    scene.turn(lambda: scene.ends)


def test_keys() -> None:
    scene = Scene(AttachWishes(stdin=True, detach_keys=b"\x10\x11"))
    scene.client.sendall(b"ab\x10\x11cd")
    scene.turn(lambda: scene.streams.taken)
    scene.client.close()
    scene.turn(lambda: scene.ends)
    assert scene.ends == [True]
    assert scene.streams.taken == b"ab"
    scene.close()


def test_who_is_found_to_be_gone_while_it_is_written_to_has_ended_its_input(scene: Scene) -> None:
    scene.client.close()
    scene.attachment.put(1, b"for nobody")
    assert scene.streams.events == ["left", "input ended"]
    assert scene.ends == [False]


def test_a_client_that_is_handed_over_keeps_its_input(scene: Scene) -> None:
    scene.attachment.close(shut=False)
    assert scene.streams.events == ["left"]
