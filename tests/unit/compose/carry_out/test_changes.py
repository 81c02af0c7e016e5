"""Events that wake who waits for a container."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from havre.client.client import Client
from havre.compose.carry_out.changes import Changes
from havre.compose.carry_out.run import Cancel, Cancelled
from tests.fakes.scripted_daemon import Peer, ScriptedDaemon

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG_S = 60


def test_an_event_ends_a_pause_and_the_stream_ends_with_the_waiting(tmp_path: Path) -> None:
    begun, left = threading.Event(), threading.Event()

    def tell(peer: Peer) -> None:
        asked = peer.request()
        assert asked is not None
        assert asked.target.startswith("/v1.50/events?filters=")
        peer.send(HEAD)
        assert begun.wait(LONG_S)
        peer.send(b"3\r\n{}\n\r\n")
        assert peer.read(1) == b""
        left.set()

    daemon = ScriptedDaemon(tmp_path / "s", [[tell]])
    cancel = Cancel()
    with Changes(Client.at(daemon.host), ["one"], cancel) as changes:
        seen = changes.count
        begun.set()
        cancel.pause(LONG_S, partial(changes.is_beyond, seen))
        assert changes.is_beyond(seen)
    assert left.wait(LONG_S)
    daemon.end()


def test_an_engine_without_events_is_no_error(tmp_path: Path) -> None:
    cancel = Cancel()
    with Changes(Client.at(f"unix://{tmp_path}/nobody"), ["one"], cancel) as changes:
        cancel.pause(0, partial(changes.is_beyond, changes.count))
        assert changes.count == 0


def test_giving_up_ends_a_pause() -> None:
    cancel = Cancel()
    threading.Timer(0, cancel.give_up).start()
    with pytest.raises(Cancelled):
        cancel.pause(LONG_S)
