"""`havre registry serve` as people type it, and its end."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support.oci_images import digest
from tests.support.registries import ask


@contextmanager
def typed(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], str, int]]:
    """The process of the command line, and where it listens."""
    line = [sys.executable, "-m", "havre.cli.main", "registry", "serve", "--root", str(folder / "root"), *flags]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while (found := re.search(r"registry on http://(\S+):(\d+),", (folder / "log").read_text())) is None:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process, found[1].strip("[]"), int(found[2])
    finally:
        process.kill()
        process.wait(30)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_the_command_serves(tmp_path: Path, address: str) -> None:
    with typed(tmp_path, "--addr", address) as (process, host, port):
        with closing(http.client.HTTPConnection(host, port, timeout=20)) as connection:
            assert ask(connection, "GET", "/v2/").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_what_is_under_way_is_finished_at_the_end(tmp_path: Path) -> None:
    data = os.urandom(200_000)
    with ExitStack() as stack:
        process, host, port = stack.enter_context(typed(tmp_path, "--addr", "127.0.0.1:0", "--no-access-log"))
        connection = stack.enter_context(closing(http.client.HTTPConnection(host, port, timeout=20)))
        place = ask(connection, "POST", "/v2/a/b/blobs/uploads/").header("Location")
        connection.putrequest("PUT", f"{place}?digest={digest(data)}")
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders()
        connection.send(data[:100_000])
        drafts = tmp_path / "root" / "content" / "drafts"
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while _listens(host, port):
            assert time.monotonic() < deadline
        connection.send(data[100_000:])
        assert connection.getresponse().status == 201
        assert process.wait(30) == 0
        assert list(drafts.iterdir()) == []
        stored = tmp_path / "root" / "content" / "blobs" / "sha256" / digest(data).partition(":")[2]
        assert stored.read_bytes() == data


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionError:  # refused, or reset where it was closed with us in its queue
        return False
    return True
