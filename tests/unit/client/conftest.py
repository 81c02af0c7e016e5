from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from havre.client.connection import Address, Connection
from tests.fakes.scripted_daemon import ScriptedDaemon, Step

Serve = Callable[..., ScriptedDaemon]
Connect = Callable[[ScriptedDaemon], Connection]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a daemon; each argument is the steps of one connection. It must have said all at the end of the test."""
    with contextlib.ExitStack() as undo:

        def start(*connections: Sequence[Step]) -> ScriptedDaemon:
            daemon = ScriptedDaemon(tmp_path / "daemon.sock", connections)
            undo.callback(daemon.end)
            return daemon

        yield start


@pytest.fixture
def connect(serve: Serve) -> Iterator[Connect]:
    """A connection to a daemon; closed at the end of the test, before the daemon is waited for."""
    with contextlib.ExitStack() as undo:

        def made(daemon: ScriptedDaemon) -> Connection:
            connection = Connection(Address(daemon.host))
            undo.callback(connection.close)
            return connection

        yield made
