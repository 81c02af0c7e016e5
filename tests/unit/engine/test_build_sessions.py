"""What clients lend lives as long as their build."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.engine.build_sessions import BuildSessions, NoSuchSession


@pytest.fixture
def root() -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hv") as folder:  # short: the paths of sockets are
        yield Path(folder)


async def test_secrets(root: Path) -> None:
    sessions = BuildSessions(root)
    identifier = await sessions.create({"a": b"x"}, [])
    assert sessions.take(identifier).secrets == {"a": b"x"}
    sessions.end(identifier)
    with pytest.raises(NoSuchSession):
        sessions.take(identifier)


@pytest.mark.parametrize("identifier", ["", "x", "../../etc", "f" * 64])
async def test_unknown_sessions(root: Path, identifier: str) -> None:
    with pytest.raises(NoSuchSession):
        BuildSessions(root).take(identifier)


async def test_too_much(root: Path) -> None:
    with pytest.raises(InvalidInput, match="larger than"):
        await BuildSessions(root).create({"a": bytes(5 << 20)}, [])


async def test_an_agent_answers_over_the_connection_that_waits(root: Path) -> None:
    sessions = BuildSessions(root)
    identifier = await sessions.create({}, ["default"])
    path = sessions.take(identifier).agents["default"]
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"
    ours, theirs = socket.socketpair()
    await sessions.offer(identifier, "default", theirs)
    reader, writer = await asyncio.open_unix_connection(path)
    agent_reader, agent_writer = await asyncio.open_connection(sock=ours)
    writer.write(b"question")
    assert await agent_reader.read(100) == b"question"
    agent_writer.write(b"answer")
    agent_writer.write_eof()
    assert await reader.read(100) == b"answer"
    for one in (writer, agent_writer):
        one.close()
    await asyncio.sleep(0.01)
    sessions.end(identifier)
    assert not os.path.exists(path)


async def test_an_offer_to_nobody_is_closed(root: Path) -> None:
    ours, theirs = socket.socketpair()
    with pytest.raises(NoSuchSession):
        await BuildSessions(root).offer("f" * 64, "default", theirs)
    assert ours.recv(1) == b""
    ours.close()


async def test_what_a_dead_process_left_is_swept(root: Path) -> None:
    sessions = BuildSessions(root)
    await sessions.create({}, ["default"])
    again = BuildSessions(root)
    again.sweep()
    assert not (root / "build").exists()
    sessions.close()
