"""What may be fetched, and what a fetched file is called."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from havre.build.model import BuildFailed
from havre.build.remote import fetch, name_of


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://h/a/b.txt", "b.txt"),
        ("http://h/b.txt?x=/y", "b.txt"),
        ("http://h/a%2Fb", "b"),
        ("http://h/..%2f..%2fetc%2fpasswd", "passwd"),
        ("http://h/", "download"),
        ("http://h", "download"),
        ("http://h/a/..", "download"),
    ],
)
def test_names_are_one_component(address: str, name: str) -> None:
    assert name_of(address, needed=False) == name


def test_a_folder_needs_a_name() -> None:
    with pytest.raises(BuildFailed, match="cannot determine filename"):
        name_of("http://h/", needed=True)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:1/x"])
def test_nothing_but_the_web(address: str, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="failed to GET"):
        fetch(address, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """A server that gives one connection the bytes that it is told, and closes it; its address."""
    with ExitStack() as undo:

        def serve(answer: bytes) -> str:
            listening = undo.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
            thread = threading.Thread(target=_serve_one, args=(listening, answer))
            undo.callback(thread.join)
            thread.start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}/file"

        yield serve


def _serve_one(listening: socket.socket, answer: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        asked = b""
        while b"\r\n\r\n" not in asked and (piece := connection.recv(4096)):
            asked += piece
        connection.sendall(answer)


def test_a_file_that_does_not_come_whole_is_none(answering: Callable[[bytes], str], tmp_path: Path) -> None:
    address = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    with pytest.raises(BuildFailed, match=f"failed to GET {address}: unexpected EOF"):
        fetch(address, tmp_path / "x")


@pytest.mark.parametrize(
    "told",
    [
        "Mon, 01 Jan 0001 00:00:00 -0000",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "no date",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
def test_a_time_that_no_clock_shows_is_the_beginning(
    answering: Callable[[bytes], str], tmp_path: Path, told: str
) -> None:
    fetch(
        answering(f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLast-Modified: {told}\r\n\r\nok".encode()), tmp_path / "x"
    )
    assert (tmp_path / "x").read_text() == "ok"
